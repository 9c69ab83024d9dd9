package commands

// pubsubCommands are the commands about publish and subscribe.
func pubsubCommands() []*Command {
	return inGroup(GroupPubSub, []*Command{
		{
			Name: "psubscribe", Since: "2.0.0", Complexity: "O(N), N being the patterns of this client",
			Summary: "Listens to the channels that match patterns.",
			Arity:   -2, Flags: CmdPubSub | CmdNoScript | CmdLoading | CmdStale,
			Channels:      ChannelSpec{ChannelPattern | ChannelSubscribe, 1, -1},
			Args:          args("pattern(pattern:pattern)..."),
			pubsubContext: true,
		},
		{
			Name: "publish", Since: "2.0.0", Complexity: "O(N+M), N being the channel's listeners and M all patterns in use",
			Summary: "Sends a message to a channel.",
			Arity:   3, Flags: CmdPubSub | CmdLoading | CmdStale | CmdFast | CmdMayReplicate,
			Channels: ChannelSpec{ChannelPublish, 1, 1},
			Args:     args("channel message"),
		},
		{
			Name: "pubsub", Since: "2.8.0", Complexity: "Depends on the subcommand",
			Summary: "Groups the commands about channels.",
			Arity:   -2,
			Subcommands: []*Command{
				{
					Name: "channels", Since: "2.8.0", Complexity: "O(N), N being the number of channels",
					Summary: "Lists the channels that have listeners.",
					Arity:   -2, Flags: CmdPubSub | CmdLoading | CmdStale,
					Args: args("[pattern:pattern]"),
				},
				{
					Name: "help", Since: "6.2.0", Complexity: "O(1)",
					Summary: "Explains the subcommands.",
					Arity:   2, Flags: CmdLoading | CmdStale,
				},
				{
					Name: "numpat", Since: "2.8.0", Complexity: "O(1)",
					Summary: "Counts the patterns in use.",
					Arity:   2, Flags: CmdPubSub | CmdLoading | CmdStale,
				},
				{
					Name: "numsub", Since: "2.8.0", Complexity: "O(N), N being the number of channels asked for",
					Summary: "Counts the listeners of channels.",
					Arity:   -2, Flags: CmdPubSub | CmdLoading | CmdStale,
					Args: args("[channel...]"),
				},
				{
					Name: "shardchannels", Since: "7.0.0", Complexity: "O(N), N being the number of shard channels",
					Summary: "Lists the shard channels that have listeners.",
					Arity:   -2, Flags: CmdPubSub | CmdLoading | CmdStale,
					Args: args("[pattern:pattern]"),
				},
				{
					Name: "shardnumsub", Since: "7.0.0", Complexity: "O(N), N being the number of shard channels asked for",
					Summary: "Counts the listeners of shard channels.",
					Arity:   -2, Flags: CmdPubSub | CmdLoading | CmdStale,
					Args: args("[shardchannel...]"),
				},
			},
		},
		{
			Name: "punsubscribe", Since: "2.0.0", Complexity: "O(N+M), N being the patterns of this client and M all patterns in use",
			Summary: "Stops listening to patterns.",
			Arity:   -1, Flags: CmdPubSub | CmdNoScript | CmdLoading | CmdStale,
			Channels:      ChannelSpec{ChannelPattern | ChannelUnsubscribe, 1, -1},
			Args:          args("[pattern:pattern...]"),
			pubsubContext: true,
		},
		{
			Name: "spublish", Since: "7.0.0", Complexity: "O(N), N being the channel's listeners",
			Summary: "Sends a message to a shard channel.",
			Arity:   3, Flags: CmdPubSub | CmdLoading | CmdStale | CmdFast | CmdMayReplicate,
			KeySpecs: []KeySpec{keyAt(1, KeyNotKey)},
			Channels: ChannelSpec{ChannelPublish, 1, 1},
			Args:     args("shardchannel message"),
		},
		{
			Name: "ssubscribe", Since: "7.0.0", Complexity: "O(N), N being the number of channels",
			Summary: "Listens to shard channels.",
			Arity:   -2, Flags: CmdPubSub | CmdNoScript | CmdLoading | CmdStale,
			KeySpecs:      []KeySpec{keysFrom(1, -1, 1, KeyNotKey)},
			Channels:      ChannelSpec{ChannelSubscribe, 1, -1},
			Args:          args("shardchannel..."),
			pubsubContext: true,
		},
		{
			Name: "subscribe", Since: "2.0.0", Complexity: "O(N), N being the number of channels",
			Summary: "Listens to channels.",
			Arity:   -2, Flags: CmdPubSub | CmdNoScript | CmdLoading | CmdStale,
			Channels:      ChannelSpec{ChannelSubscribe, 1, -1},
			Args:          args("channel..."),
			pubsubContext: true,
		},
		{
			Name: "sunsubscribe", Since: "7.0.0", Complexity: "O(N), N being the channels of this client",
			Summary: "Stops listening to shard channels.",
			Arity:   -1, Flags: CmdPubSub | CmdNoScript | CmdLoading | CmdStale,
			KeySpecs:      []KeySpec{keysFrom(1, -1, 1, KeyNotKey)},
			Channels:      ChannelSpec{ChannelUnsubscribe, 1, -1},
			Args:          args("[shardchannel...]"),
			pubsubContext: true,
		},
		{
			Name: "unsubscribe", Since: "2.0.0", Complexity: "O(N), N being the channels of this client",
			Summary: "Stops listening to channels.",
			Arity:   -1, Flags: CmdPubSub | CmdNoScript | CmdLoading | CmdStale,
			Channels:      ChannelSpec{ChannelUnsubscribe, 1, -1},
			Args:          args("[channel...]"),
			pubsubContext: true,
		},
	})
}
