package commands

// geoCommands are the commands about places on Earth.
func geoCommands() []*Command {
	return inGroup(GroupGeo, []*Command{
		{
			Name: "geoadd", Since: "3.2.0", Complexity: "O(log N) a place, N being the size of the sorted set",
			Summary: "Adds places, or moves them.",
			Proc:    geoaddCommand,
			Arity:   -5, Flags: CmdWrite | CmdDenyOOM, ACL: CatGeo,
			KeySpecs: []KeySpec{keyAt(1, KeyRW|KeyUpdate)},
			Args:     args("key#0 [condition<NX | XX>@6.2.0] [change=CH@6.2.0] longitude_latitude_member(longitude:double latitude:double member)..."),
			History:  []Change{{"6.2.0", "The CH, NX and XX options."}},
		},
		{
			Name: "geodist", Since: "3.2.0", Complexity: "O(log N)",
			Summary: "Returns the distance between two places.",
			Proc:    geodistCommand,
			Arity:   -4, Flags: CmdReadonly, ACL: CatGeo,
			KeySpecs: []KeySpec{keyAt(1, KeyRO|KeyAccess)},
			Args:     args("key#0 member1 member2 [unit<M | KM | FT | MI>]"),
		},
		{
			Name: "geohash", Since: "3.2.0", Complexity: "O(log N) a place",
			Summary: "Returns places as geohash strings.",
			Proc:    geohashCommand,
			Arity:   -2, Flags: CmdReadonly, ACL: CatGeo,
			KeySpecs: []KeySpec{keyAt(1, KeyRO|KeyAccess)},
			Args:     args("key#0 member..."),
		},
		{
			Name: "geopos", Since: "3.2.0", Complexity: "O(N), N being the number of places asked for",
			Summary: "Returns the coordinates of places.",
			Proc:    geoposCommand,
			Arity:   -2, Flags: CmdReadonly, ACL: CatGeo,
			KeySpecs: []KeySpec{keyAt(1, KeyRO|KeyAccess)},
			Args:     args("key#0 member..."),
		},
		{
			Name: "georadius", Since: "3.2.0", Complexity: "O(N+log M), N being the places in the box around the circle, M those in the index",
			Summary: "Finds the places around a point and can store them.",
			Proc:    georadiusCommand,
			Arity:   -6, Flags: CmdWrite | CmdDenyOOM, ACL: CatGeo,
			KeySpecs: []KeySpec{
				keyAt(1, KeyRO|KeyAccess),
				keyAfter("store", 6, KeyOW|KeyUpdate),
				keyAfter("storedist", 6, KeyOW|KeyUpdate),
			},
			GetKeys: georadiusKeys,
			Args: args("key#0 longitude:double latitude:double radius:double unit<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] " +
				"[count(COUNT count:int [ANY@6.2.0])] [order<ASC | DESC>] [STORE key#1] [STOREDIST key#2]"),
			History: []Change{
				{"6.2.0", "ANY behind COUNT."},
				{"7.0.0", "Units in any letter case."},
			},
			DocFlags: DocDeprecated, DeprecatedSince: "6.2.0", ReplacedBy: "GEOSEARCH and GEOSEARCHSTORE with BYRADIUS",
		},
		{
			Name: "georadius_ro", Since: "3.2.10", Complexity: "O(N+log M), N being the places in the box around the circle, M those in the index",
			Summary: "Finds the places around a point.",
			Proc:    georadiusroCommand,
			Arity:   -6, Flags: CmdReadonly, ACL: CatGeo,
			KeySpecs: []KeySpec{keyAt(1, KeyRO|KeyAccess)},
			Args: args("key#0 longitude:double latitude:double radius:double unit<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] " +
				"[count(COUNT count:int [ANY@6.2.0])] [order<ASC | DESC>]"),
			History:  []Change{{"6.2.0", "ANY behind COUNT."}},
			DocFlags: DocDeprecated, DeprecatedSince: "6.2.0", ReplacedBy: "GEOSEARCH with BYRADIUS",
		},
		{
			Name: "georadiusbymember", Since: "3.2.0", Complexity: "O(N+log M), N being the places in the box around the circle, M those in the index",
			Summary: "Finds the places around a place and can store them.",
			Proc:    georadiusbymemberCommand,
			Arity:   -5, Flags: CmdWrite | CmdDenyOOM, ACL: CatGeo,
			KeySpecs: []KeySpec{
				keyAt(1, KeyRO|KeyAccess),
				keyAfter("store", 5, KeyOW|KeyUpdate),
				keyAfter("storedist", 5, KeyOW|KeyUpdate),
			},
			GetKeys: georadiusKeys,
			Args: args("key#0 member radius:double unit<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count(COUNT count:int [ANY])] " +
				"[order<ASC | DESC>] [STORE key#1] [STOREDIST key#2]"),
			History:  []Change{{"7.0.0", "Units in any letter case."}},
			DocFlags: DocDeprecated, DeprecatedSince: "6.2.0", ReplacedBy: "GEOSEARCH and GEOSEARCHSTORE with BYRADIUS and FROMMEMBER",
		},
		{
			Name: "georadiusbymember_ro", Since: "3.2.10", Complexity: "O(N+log M), N being the places in the box around the circle, M those in the index",
			Summary: "Finds the places around a place.",
			Proc:    georadiusbymemberroCommand,
			Arity:   -5, Flags: CmdReadonly, ACL: CatGeo,
			KeySpecs: []KeySpec{keyAt(1, KeyRO|KeyAccess)},
			Args:     args("key#0 member radius:double unit<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count(COUNT count:int [ANY])] [order<ASC | DESC>]"),
			DocFlags: DocDeprecated, DeprecatedSince: "6.2.0", ReplacedBy: "GEOSEARCH with BYRADIUS and FROMMEMBER",
		},
		{
			Name: "geosearch", Since: "6.2.0", Complexity: "O(N+log M), N being the places in the grid cells around the shape, M those in the shape",
			Summary: "Finds the places in a circle or a box.",
			Proc:    geosearchCommand,
			Arity:   -7, Flags: CmdReadonly, ACL: CatGeo,
			KeySpecs: []KeySpec{keyAt(1, KeyRO|KeyAccess)},
			Args: args("key#0 from<FROMMEMBER member | FROMLONLAT longitude_latitude(longitude:double latitude:double)> " +
				"by<circle(BYRADIUS radius:double unit<M | KM | FT | MI>) | box(BYBOX width:double height:double unit<M | KM | FT | MI>)> " +
				"[order<ASC | DESC>] [count(COUNT count:int [ANY])] [WITHCOORD] [WITHDIST] [WITHHASH]"),
			History: []Change{{"7.0.0", "Units in any letter case."}},
		},
		{
			Name: "geosearchstore", Since: "6.2.0", Complexity: "O(N+log M), N being the places in the grid cells around the shape, M those in the shape",
			Summary: "Stores the places in a circle or a box.",
			Proc:    geosearchstoreCommand,
			Arity:   -8, Flags: CmdWrite | CmdDenyOOM, ACL: CatGeo,
			KeySpecs: []KeySpec{
				keyAt(1, KeyOW|KeyUpdate),
				keyAt(2, KeyRO|KeyAccess),
			},
			Args: args("destination#0 source#1 from<FROMMEMBER member | FROMLONLAT longitude_latitude(longitude:double latitude:double)> " +
				"by<circle(BYRADIUS radius:double unit<M | KM | FT | MI>) | box(BYBOX width:double height:double unit<M | KM | FT | MI>)> " +
				"[order<ASC | DESC>] [count(COUNT count:int [ANY])] [STOREDIST]"),
			History: []Change{{"7.0.0", "Units in any letter case."}},
		},
	})
}
