package tlsio

import (
	"context"
	"crypto/tls"
	"net"
)

// Dialer returns a function that connects by plain and does the handshake, both within ctx. cfg is one of [Settings.Client]; a host that is a
// name, not an address, is sent as SNI. Unix sockets are dialled without TLS. Any goroutine may call it.
func Dialer(plain *net.Dialer, cfg *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := plain.DialContext(ctx, network, addr)
		if err != nil || network == "unix" {
			return nc, err
		}
		c := cfg.Clone()
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		if c.ServerName == "" {
			c.ServerName = host // crypto/tls leaves addresses out of SNI
		}
		t := tls.Client(nc, c)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = nc.Close()
			return nil, err
		}
		return t, nil
	}
}
