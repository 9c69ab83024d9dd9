// Package differential sends the same bytes to redis-server 7.0.15 and to our server and compares the replies byte for byte, in RESP2
// and RESP3. Its parts:
//
//   - testdata/*.txt: hand-written cases, one file a command group (script_test.go tells the format);
//   - testdata/*.grammar: argument grammars from which a seeded generator draws random commands (generate_test.go);
//   - protocol_test.go: inline commands, protocol errors, pipelines cut at odd bytes, limits before authentication;
//   - table_test.go: every row of our COMMAND against redis-server's, wrong arities, and the coverage rule: a command without a case fails.
//
// Replies are compared raw. What cannot be equal (clocks, addresses, hash order) stands in compare_test.go, each with its reason.
// A group is added by adding its two files; no Go is needed unless a reply is not deterministic.
package differential
