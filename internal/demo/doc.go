// Package demo shows a replica at work where there is no master to follow: one process runs a writable master with a small live
// workload and, beside it, a replica that follows it by PSYNC over a real socket, as it would follow any other. It is what
// `make run` starts, and a whole example of two servers embedded in one program.
package demo
