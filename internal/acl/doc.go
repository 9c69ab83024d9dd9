// Package acl holds users and what they may do: commands, keys and channels, by the rule language of redis-server 7.0.
//
//	users ──► User ──► root selector ──► bitmap of commands, first arguments
//	           │                         key patterns with a right to read, to write, or both
//	           │                         channel patterns
//	           ├──► more selectors: ( rules )
//	           └──► hashes of passwords
//
// A command is allowed if one selector allows all of it: the command itself, each of its keys and each of its channels.
// Rights to commands are one bit each, so a check reads one word; what the rules said is not kept but worked out again
// from the bits (see [Selector.CommandRules]), in the words in which redis-server would put it.
//
// The package knows no connections, no protocol and no files: commands are given to it by [NewCommands], a user's rules
// by strings. One goroutine owns a [Users] with everything in it.
package acl
