// Package tlsio speaks TLS where the event loop does not: in front of it, for clients, and on the way to the master.
//
//	client ══TLS══► session goroutines ──plain bytes──► socket pair ──► event loop
//	                 handshake, records      (kernel's buffers: bounded, back-pressure both ways)
//
// Each connection has a goroutine for either direction, which do the handshake and all cryptography, so that neither a slow
// handshake nor a large reply holds the loop up. The loop sees an ordinary connection with the client's real
// address. What waits on the way is bounded by the two buffers of the socket pair; behind them the limits of the loop hold.
//
// Certificates are read by [Settings.Server] and [Settings.Client] into a tls.Config; [Server.SetConfig] puts a new one into force
// for the connections to come, without a pause.
package tlsio
