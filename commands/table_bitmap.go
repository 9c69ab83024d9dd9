package commands

// bitmapCommands are the commands about strings as arrays of bits.
func bitmapCommands() []*Command {
	return inGroup(GroupBitmap, []*Command{
		{
			Name: "bitcount", Since: "2.6.0", Complexity: "O(N), N being the bytes looked at",
			Summary: "Counts the bits that are set in a string.",
			Proc:    bitcountCommand,
			Arity:   -2, Flags: CmdReadonly, ACL: CatBitmap,
			KeySpecs: []KeySpec{keyAt(1, KeyRO|KeyAccess)},
			Args:     args("key#0 [index(start:int end:int [index_unit<BYTE | BIT>@7.0.0])]"),
			History:  []Change{{"7.0.0", "The units BYTE and BIT."}},
		},
		{
			Name: "bitfield", Since: "3.2.0", Complexity: "O(1) an operation",
			Summary: "Reads and changes integers of any width inside of a string.",
			Proc:    bitfieldCommand,
			Arity:   -2, Flags: CmdWrite | CmdDenyOOM, ACL: CatBitmap,
			KeySpecs: []KeySpec{keyAt(1, KeyRW|KeyAccess|KeyUpdate|KeyVariableFlags).note("depends on the operations")},
			GetKeys:  bitfieldKeys,
			Args: args("key#0 " +
				"[operation<GET encoding_offset(encoding offset:int) | write([OVERFLOW wrap_sat_fail<WRAP | SAT | FAIL>] write_operation<SET encoding_offset_value(encoding offset:int value:int) | INCRBY encoding_offset_increment(encoding offset:int increment:int)>)>...]"),
		},
		{
			Name: "bitfield_ro", Since: "6.0.0", Complexity: "O(1) an operation",
			Summary: "Reads integers of any width inside of a string.",
			Proc:    bitfieldroCommand,
			Arity:   -2, Flags: CmdReadonly | CmdFast, ACL: CatBitmap,
			KeySpecs: []KeySpec{keyAt(1, KeyRO|KeyAccess)},
			Args:     args("key#0 [GET encoding_offset(encoding offset:int)]..."),
		},
		{
			Name: "bitop", Since: "2.6.0", Complexity: "O(N), N being the length of the longest string",
			Summary: "Combines strings bit by bit and stores the result.",
			Proc:    bitopCommand,
			Arity:   -4, Flags: CmdWrite | CmdDenyOOM, ACL: CatBitmap,
			KeySpecs: []KeySpec{
				keyAt(2, KeyOW|KeyUpdate),
				keysFrom(3, -1, 1, KeyRO|KeyAccess),
			},
			Args: args("operation destkey#0 key#1..."),
		},
		{
			Name: "bitpos", Since: "2.8.7", Complexity: "O(N), N being the bytes looked at",
			Summary: "Finds the first bit that is set, or clear, in a string.",
			Proc:    bitposCommand,
			Arity:   -3, Flags: CmdReadonly, ACL: CatBitmap,
			KeySpecs: []KeySpec{keyAt(1, KeyRO|KeyAccess)},
			Args:     args("key#0 bit:int [index(start:int [end_index(end:int [index_unit<BYTE | BIT>@7.0.0])])]"),
			History:  []Change{{"7.0.0", "The units BYTE and BIT."}},
		},
		{
			Name: "getbit", Since: "2.2.0", Complexity: "O(1)",
			Summary: "Returns a bit of a string.",
			Proc:    getbitCommand,
			Arity:   3, Flags: CmdReadonly | CmdFast, ACL: CatBitmap,
			KeySpecs: []KeySpec{keyAt(1, KeyRO|KeyAccess)},
			Args:     args("key#0 offset:int"),
		},
		{
			Name: "setbit", Since: "2.2.0", Complexity: "O(1)",
			Summary: "Sets or clears a bit of a string.",
			Proc:    setbitCommand,
			Arity:   4, Flags: CmdWrite | CmdDenyOOM, ACL: CatBitmap,
			KeySpecs: []KeySpec{keyAt(1, KeyRW|KeyAccess|KeyUpdate)},
			Args:     args("key#0 offset:int value:int"),
		},
	})
}
