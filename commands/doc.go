// Package commands is the command layer: the table of commands, the gates that
// a call passes, and the handlers, one file a data type, named as in Redis
// (t_string.go, setCommand).
//
// A call goes: Server.Process cuts commands out of a client's input, execute finds
// the row and asks the gates, call runs the handler and accounts for it. A
// handler sees a Client: its arguments (views, valid during the call), its
// database, and the addReply methods, which append to the client's output.
//
// Everything runs on the loop goroutine. Time and randomness come from the Host.
package commands
