package commands

// clusterCommands are the commands about cluster mode.
func clusterCommands() []*Command {
	return inGroup(GroupCluster, []*Command{
		{
			Name: "asking", Since: "3.0.0", Complexity: "O(1)",
			Summary: "Announces that the client was sent here by an ASK redirection.",
			Arity:   1, Flags: CmdFast, ACL: CatConnection,
		},
		{
			Name: "cluster", Since: "3.0.0", Complexity: "Depends on the subcommand",
			Summary: "Groups the commands about the cluster.",
			Arity:   -2,
			Subcommands: []*Command{
				{
					Name: "addslots", Since: "3.0.0", Complexity: "O(N), N being the number of slots",
					Summary: "Assigns hash slots to this node.",
					Arity:   -3, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Args: args("slot:int..."),
				},
				{
					Name: "addslotsrange", Since: "7.0.0", Complexity: "O(N), N being the number of slots in the ranges",
					Summary: "Assigns ranges of hash slots to this node.",
					Arity:   -4, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Args: args("start-slot_end-slot(start-slot:int end-slot:int)..."),
				},
				{
					Name: "bumpepoch", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Raises the configuration epoch.",
					Arity:   2, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Tips: []string{"nondeterministic_output"},
				},
				{
					Name: "count-failure-reports", Since: "3.0.0", Complexity: "O(N), N being the number of reports",
					Summary: "Counts the reports that a node has failed.",
					Arity:   3, Flags: CmdAdmin | CmdStale,
					Args: args("node-id"),
					Tips: []string{"nondeterministic_output"},
				},
				{
					Name: "countkeysinslot", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Counts the keys of a hash slot.",
					Arity:   3, Flags: CmdStale,
					Args: args("slot:int"),
				},
				{
					Name: "delslots", Since: "3.0.0", Complexity: "O(N), N being the number of slots",
					Summary: "Takes hash slots away from this node.",
					Arity:   -3, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Args: args("slot:int..."),
				},
				{
					Name: "delslotsrange", Since: "7.0.0", Complexity: "O(N), N being the number of slots in the ranges",
					Summary: "Takes ranges of hash slots away from this node.",
					Arity:   -4, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Args: args("start-slot_end-slot(start-slot:int end-slot:int)..."),
				},
				{
					Name: "failover", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Makes this replica take over from its master.",
					Arity:   -2, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Args: args("[options<FORCE | TAKEOVER>]"),
				},
				{
					Name: "flushslots", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Takes all hash slots away from this node.",
					Arity:   2, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
				},
				{
					Name: "forget", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Strikes a node from the list of nodes.",
					Arity:   3, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Args: args("node-id"),
				},
				{
					Name: "getkeysinslot", Since: "3.0.0", Complexity: "O(log N), N being the number of keys asked for",
					Summary: "Lists keys of a hash slot.",
					Arity:   4, Flags: CmdStale,
					Args: args("slot:int count:int"),
					Tips: []string{"nondeterministic_output"},
				},
				{
					Name: "help", Since: "5.0.0", Complexity: "O(1)",
					Summary: "Explains the subcommands.",
					Arity:   2, Flags: CmdLoading | CmdStale,
				},
				{
					Name: "info", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Reports the state of the cluster.",
					Arity:   2, Flags: CmdStale,
					Tips: []string{"nondeterministic_output"},
				},
				{
					Name: "keyslot", Since: "3.0.0", Complexity: "O(N), N being the length of the key",
					Summary: "Returns the hash slot of a key.",
					Arity:   3, Flags: CmdStale,
					Args: args("key"),
				},
				{
					Name: "links", Since: "7.0.0", Complexity: "O(N), N being the number of nodes",
					Summary: "Lists the connections to the other nodes.",
					Arity:   2, Flags: CmdStale,
					Tips: []string{"nondeterministic_output"},
				},
				{
					Name: "meet", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Introduces this node to another.",
					Arity:   -4, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Args:    args("ip port:int [cluster_bus_port:int@4.0.0]"),
					History: []Change{{"4.0.0", "The port of the cluster bus."}},
				},
				{
					Name: "myid", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Returns the ID of this node.",
					Arity:   2, Flags: CmdStale,
				},
				{
					Name: "myshardid", Since: "7.2.0", Complexity: "O(1)",
					Summary: "Returns the ID of this node's shard.",
					Arity:   2, Flags: CmdStale,
					Tips: []string{"nondeterministic_output"},
				},
				{
					Name: "nodes", Since: "3.0.0", Complexity: "O(N), N being the number of nodes",
					Summary: "Lists the nodes with their slots.",
					Arity:   2, Flags: CmdStale,
					Tips: []string{"nondeterministic_output"},
				},
				{
					Name: "replicas", Since: "5.0.0", Complexity: "O(1)",
					Summary: "Lists the replicas of a master.",
					Arity:   3, Flags: CmdAdmin | CmdStale,
					Args: args("node-id"),
					Tips: []string{"nondeterministic_output"},
				},
				{
					Name: "replicate", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Makes this node a replica of a master.",
					Arity:   3, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Args: args("node-id"),
				},
				{
					Name: "reset", Since: "3.0.0", Complexity: "O(N), N being the number of nodes, and of keys if they are flushed",
					Summary: "Makes this node forget the cluster.",
					Arity:   -2, Flags: CmdAdmin | CmdNoScript | CmdStale,
					Args: args("[hard_soft<HARD | SOFT>]"),
				},
				{
					Name: "saveconfig", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Writes the node's configuration to disk.",
					Arity:   2, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
				},
				{
					Name: "set-config-epoch", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Sets the configuration epoch of a new node.",
					Arity:   3, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Args: args("config-epoch:int"),
				},
				{
					Name: "setslot", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Changes the owner or the state of a hash slot.",
					Arity:   -4, Flags: CmdAdmin | CmdStale | CmdNoAsyncLoading,
					Args: args("slot:int subcommand<IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>"),
				},
				{
					Name: "shards", Since: "7.0.0", Complexity: "O(N), N being the number of nodes",
					Summary: "Lists the shards with their slots and nodes.",
					Arity:   2, Flags: CmdStale,
					Tips: []string{"nondeterministic_output"},
				},
				{
					Name: "slaves", Since: "3.0.0", Complexity: "O(1)",
					Summary: "Is the old name of CLUSTER REPLICAS.",
					Arity:   3, Flags: CmdAdmin | CmdStale,
					Args:     args("node-id"),
					Tips:     []string{"nondeterministic_output"},
					DocFlags: DocDeprecated, DeprecatedSince: "5.0.0", ReplacedBy: "CLUSTER REPLICAS",
				},
				{
					Name: "slots", Since: "3.0.0", Complexity: "O(N), N being the number of nodes",
					Summary: "Lists the ranges of hash slots with their nodes.",
					Arity:   2, Flags: CmdStale,
					Tips: []string{"nondeterministic_output"},
					History: []Change{
						{"4.0.0", "The IDs of the nodes."},
						{"7.0.0", "Further ways to reach a node."},
					},
					DocFlags: DocDeprecated, DeprecatedSince: "7.0.0", ReplacedBy: "CLUSTER SHARDS",
				},
			},
		},
		{
			Name: "readonly", Since: "3.0.0", Complexity: "O(1)",
			Summary: "Allows reads on a replica that belongs to a cluster.",
			Arity:   1, Flags: CmdLoading | CmdStale | CmdFast, ACL: CatConnection,
			Proc: readonlyCommand,
		},
		{
			Name: "readwrite", Since: "3.0.0", Complexity: "O(1)",
			Summary: "Takes READONLY back.",
			Arity:   1, Flags: CmdLoading | CmdStale | CmdFast, ACL: CatConnection,
			Proc: readwriteCommand,
		},
	})
}
