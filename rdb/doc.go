// Package rdb reads and writes Redis's snapshot format, the RDB: the payload of
// a full synchronisation, of dump.rdb and (one value at a time) of DUMP and
// RESTORE.
//
//	"REDIS" version:4     or "VALKEY" version:3
//	┌ AUX key value                       redis-ver, repl-id, repl-offset …
//	│ FUNCTION2 code                      function libraries
//	│ MODULE_AUX …
//	│ SELECTDB n
//	│ RESIZEDB keys expires
//	│ ┌ [EXPIRETIME_MS ms] [IDLE s | FREQ n]
//	│ └ type:1 key value                  once per key
//	└ …
//	EOF crc64:8
//
// Decoder turns a stream into calls of a Sink: strings, whole packed collections
// (validated in depth, so that keeping one is a copy), and big collections
// element by element. It does its own buffering, allocates nothing per key, and
// trusts nothing: any bytes give data or an *Error with offset, database and
// key; no length is believed before the bytes it counts have arrived.
//
// Encoder and the Append functions write what every server since Redis 7.0
// reads.
//
// Nothing here is safe for concurrent use: one goroutine owns a Decoder or an
// Encoder.
package rdb
