// Package soak lets well-behaved clients work among bad ones: clients that flood, stall, break off and send garbage. The good ones must
// get every reply, right and soon; memory, descriptors and goroutines of the server must stay what they were.
//
// `make test` does it for some seconds, `make soak` for five minutes.
package soak
