// Package replication runs our server as the replica of a real redis-server: random writes of every kind that exists, a proxy that cuts
// the link at random bytes, masters that restart, stall or lie. At each checkpoint DEBUG DIGEST of master and replica must be equal, and
// the master's own INFO must show the replica online at the master's offset.
package replication
