// Package examples holds programs that show the library in use. Each runs by itself (`go run ./examples/basic`): with MASTER=host:port it follows
// that master, else one that it starts in its own process.
package examples
