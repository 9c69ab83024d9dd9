package commands

// hyperLogLogCommands are the commands about cardinality estimates.
func hyperLogLogCommands() []*Command {
	return inGroup(GroupHyperLogLog, []*Command{
		{
			Name: "pfadd", Since: "2.8.9", Complexity: "O(1) an element",
			Summary: "Adds elements to a HyperLogLog.",
			Proc:    pfaddCommand,
			Arity:   -2, Flags: CmdWrite | CmdDenyOOM | CmdFast, ACL: CatHyperLogLog,
			KeySpecs: []KeySpec{keyAt(1, KeyRW|KeyInsert)},
			Args:     args("key#0 [element...]"),
		},
		{
			Name: "pfcount", Since: "2.8.9", Complexity: "O(1) for one key, O(N) and slower for N keys",
			Summary: "Estimates how many different elements HyperLogLogs have seen.",
			Proc:    pfcountCommand,
			Arity:   -2, Flags: CmdReadonly | CmdMayReplicate, ACL: CatHyperLogLog,
			KeySpecs: []KeySpec{keysFrom(1, -1, 1, KeyRW|KeyAccess).note("may rewrite the cached cardinality")},
			Args:     args("key#0..."),
		},
		{
			Name: "pfdebug", Since: "2.8.9", Complexity: "N/A",
			Summary: "Looks inside of a HyperLogLog.",
			Proc:    pfdebugCommand,
			Arity:   3, Flags: CmdWrite | CmdDenyOOM | CmdAdmin, ACL: CatHyperLogLog,
			KeySpecs: []KeySpec{keyAt(2, KeyRW|KeyAccess)},
			Args:     args("subcommand key#0"),
			DocFlags: DocSyscmd,
		},
		{
			Name: "pfmerge", Since: "2.8.9", Complexity: "O(N), N being the number of keys, with a large constant",
			Summary: "Merges HyperLogLogs.",
			Proc:    pfmergeCommand,
			Arity:   -2, Flags: CmdWrite | CmdDenyOOM, ACL: CatHyperLogLog,
			KeySpecs: []KeySpec{
				keyAt(1, KeyRW|KeyAccess|KeyInsert),
				keysFrom(2, -1, 1, KeyRO|KeyAccess),
			},
			Args: args("destkey#0 sourcekey#1..."),
		},
		{
			Name: "pfselftest", Since: "2.8.9", Complexity: "N/A",
			Summary: "Tests the HyperLogLog code.",
			Proc:    pfselftestCommand,
			Arity:   1, Flags: CmdAdmin, ACL: CatHyperLogLog,
			DocFlags: DocSyscmd,
		},
	})
}
