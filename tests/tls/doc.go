// Package tls tests the servers over TLS, from outside: clients on the TLS port, and the link to a real master.
package tls
