package commands

// transactionCommands are the commands about transactions.
func transactionCommands() []*Command {
	return inGroup(GroupTransactions, []*Command{
		{
			Name: "discard", Since: "2.0.0", Complexity: "O(N), N being the number of queued commands",
			Summary: "Drops the queued commands of a transaction.",
			Arity:   1, Flags: CmdNoScript | CmdLoading | CmdStale | CmdFast | CmdAllowBusy | cmdUnqueued, ACL: CatTransaction,
			Proc: discardCommand,
		},
		{
			Name: "exec", Since: "1.2.0", Complexity: "Depends on the queued commands",
			Summary: "Runs the queued commands of a transaction.",
			Arity:   1, Flags: CmdNoScript | CmdLoading | CmdStale | CmdSkipSlowlog | cmdUnqueued, ACL: CatTransaction,
			isExec: true,
			Proc:   execCommand,
		},
		{
			Name: "multi", Since: "1.2.0", Complexity: "O(1)",
			Summary: "Begins a transaction.",
			Arity:   1, Flags: CmdNoScript | CmdLoading | CmdStale | CmdFast | CmdAllowBusy | cmdUnqueued, ACL: CatTransaction,
			Proc: multiCommand,
		},
		{
			Name: "unwatch", Since: "2.2.0", Complexity: "O(1)",
			Summary: "Stops watching all keys.",
			Arity:   1, Flags: CmdNoScript | CmdLoading | CmdStale | CmdFast | CmdAllowBusy, ACL: CatTransaction,
			Proc: unwatchCommand,
		},
		{
			Name: "watch", Since: "2.2.0", Complexity: "O(1) a key",
			Summary: "Watches keys; the next transaction fails if one of them changes.",
			Arity:   -2, Flags: CmdNoScript | CmdLoading | CmdStale | CmdFast | CmdAllowBusy | cmdUnqueued, ACL: CatTransaction,
			KeySpecs: []KeySpec{keysFrom(1, -1, 1, KeyRO)},
			Args:     args("key#0..."),
			Proc:     watchCommand,
		},
	})
}
