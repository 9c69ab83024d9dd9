// Package numeric converts between numbers and their text as redis-server 7.0 does, to the last byte: what clients
// send, what is stored, and what replies hold depends on it.
package numeric
