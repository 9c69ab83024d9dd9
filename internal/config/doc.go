// Package config is the registry of the server's directives: it reads redis.conf files and command lines, answers
// CONFIG GET, performs CONFIG SET with rollback, and rewrites the file for CONFIG REWRITE.
//
// # Shape
//
// One table of rows (the rows_*.go files) declares every directive of redis.conf 7.0 and those of this product: name,
// alias, kind, limits, default, flags, a line of documentation and the field of Values it is bound to. All else is
// derived from the rows: parsing, formatting, limits and their error texts, the rewriter, docs/configuration.md.
//
//	redis.conf, arguments, environment          CONFIG SET
//	             |                                   |
//	             v                                   v
//	   +-- Registry: name -> row --------------------------------+
//	   |   row: kind, limits, flags, doc, set/get/lines ----+    |      CONFIG GET, CONFIG REWRITE,
//	   |                                                    |    | ---> docs/configuration.md
//	   +----------------------------------------------------|----+
//	                                                        v
//	                            Values: plain struct, typed fields  <--- hot code reads v.MaxClients, v.Hz, ...
//
// Values is a plain struct, so reading a setting on a hot path is one load from memory: no map, no lock, no parsing.
//
// # Ownership
//
// A Registry and its Values are owned by one goroutine. At start that is main's; once the server runs it is the
// event loop's. Slices in Values are never changed in place, only replaced, so a slice header read once stays valid.
//
// # Directives without a meaning
//
// Some directives of Redis steer machinery that does not exist here (append-only files, forked children, cluster
// bus, ...). They are known, checked, kept and reported exactly as Redis would, so that existing files and tools work,
// and Registry.WithoutEffect names those that a file did set, for one line in the log.
//
// # Adding a directive
//
// Add a field to Values if code will read it, and one row beside its kin in a rows_*.go file; then run
// `go generate ./internal/config` to refresh docs/configuration.md.
package config

//go:generate go run ./gendoc ../../docs/configuration.md ../../deploy/redis.conf
