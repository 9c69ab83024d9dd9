// Package redirect carries commands to a master over persistent connections and
// brings its replies back as they are.
//
//	loop ──Do──► queue ─► [writer] ══► master ══► [reader] ──Done──► loop
//	             pending            in flight, in order
//
// Single commands of all clients share one connection for each database and
// protocol, pipelined: one write for whatever has gathered. What holds a connection
// for itself (a transaction, WATCH, a command that blocks) gets a Session.
//
// Nothing is sent twice. A request whose first byte may have left is over when its
// connection breaks: its outcome is unknown, and the error says so. One that still
// waits in the queue goes to the next connection. The database is selected, the
// user logged in and the protocol agreed before a connection takes its first
// request, so that no command can run in a state that it was not meant for.
package redirect
