// Package testutil starts real servers and talks to them in raw bytes, for the black-box suites and the benchmarks: redis-server
// and ours on free ports in folders of their own, a RESP connection that keeps each reply's exact bytes, a TCP proxy that cuts
// links, and what /proc says of a server's CPU time and memory.
//
// Nothing here imports the server's own packages: a shared parser would hide a shared mistake.
package testutil
