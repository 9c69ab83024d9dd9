// Package resp reads and writes RESP, the Redis serialization protocol, versions 2 and 3.
//
// It is pure: bytes in, arguments and bytes out. It performs no I/O, starts no goroutine, takes no lock and reads no
// clock, so whoever owns a value of this package may use it from one goroutine without further care.
//
// Three parts stand side by side:
//
//   - [Reader] is the server's side. It cuts a byte stream that arrives in pieces of any size into commands, with the
//     limits and the error texts of redis-server 7.0. A replica also uses it for the stream of its master.
//   - The Append functions are the server's other half: each appends one reply (or the header of an aggregate) to a
//     slice and returns the slice, as strconv's do. Where RESP2 and RESP3 differ the protocol number is an argument.
//   - [ReplyReader] and [Value] are the client's side: the extent of whole replies, and their decoded form. Tests,
//     tools and the redirection of writes use them.
//
// # How the Reader treats memory
//
// A slice handed to [Reader.Feed] is parsed where it lies; arguments are views into it. Only a command that the
// slice does not hold whole is copied, into the reader's carry buffer, and only as its bytes arrive:
//
//	            Feed #1                          Feed #2
//	┌──────────┬──────────┬───────┐   ┌───────────┬──────────┬──────────┐
//	│ command  │ command  │ comma │   │ nd        │ command  │ command  │
//	└──────────┴──────────┴───────┘   └───────────┴──────────┴──────────┘
//	 in place   in place      │             │       in place   in place
//	                          ▼             ▼
//	                   carry ┌───────┬─────┐
//	                         │ comma │ nd  │   grows geometrically with what came,
//	                         └───────┴─────┘   never by what a header claims
//
// Of the second slice only the bytes that complete the command are copied; parsing then goes on in place. A byte of
// an ordinary stream is therefore copied at most once, and nearly all of them never.
package resp
