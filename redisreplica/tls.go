package redisreplica

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/tlsio"
)

// This file wires TLS: the listener in front of the loop, and connections to
// the master. All of it runs on the loop goroutine, or before Run.

// tlsDirectives are those whose change has the files read again.
var tlsDirectives = []string{
	"tls-cert-file", "tls-key-file", "tls-key-file-pass", "tls-client-cert-file", "tls-client-key-file",
	"tls-client-key-file-pass", "tls-ca-cert-file", "tls-ca-cert-dir", "tls-auth-clients", "tls-protocols", "tls-ciphers",
	"tls-session-caching", "tls-replication", "tls-replication-verify-name",
}

func (r *Replica) tlsSettings() *tlsio.Settings {
	v := r.v
	path := func(p string) string {
		if p == "" {
			return ""
		}
		return v.Path(p)
	}
	return &tlsio.Settings{
		CertFile: path(v.TLSCertFile), KeyFile: path(v.TLSKeyFile), KeyPass: v.TLSKeyFilePass,
		ClientCertFile: path(v.TLSClientCertFile), ClientKeyFile: path(v.TLSClientKeyFile), ClientKeyPass: v.TLSClientKeyFilePass,
		CAFile: path(v.TLSCACertFile), CADir: path(v.TLSCACertDir),
		ClientAuth: map[config.TLSAuth]tls.ClientAuthType{
			config.TLSAuthNo: tls.NoClientCert, config.TLSAuthYes: tls.RequireAndVerifyClientCert,
			config.TLSAuthOptional: tls.VerifyClientCertIfGiven,
		}[v.TLSAuthClients],
		Protocols: v.TLSProtocols, Ciphers: v.TLSCiphers, SessionCaching: v.TLSSessionCaching,
		VerifyName: v.TLSReplicationVerifyName,
	}
}

// configureTLS reads the certificates and puts them into force: for clients and
// connections to the master that come from now on. On an error nothing
// changes.
func (r *Replica) configureTLS() error {
	s := r.tlsSettings()
	var server, client *tls.Config
	var err error
	if r.v.TLSPort != 0 {
		if server, err = s.Server(); err != nil {
			return err
		}
	}
	if r.v.TLSReplication {
		if client, err = s.Client(); err != nil {
			return err
		}
	}
	if r.lib.tls != nil && r.v.TLSReplication {
		client = r.lib.tls
	}
	r.tlsClient = client
	if server != nil && r.tlsServer != nil {
		r.tlsServer.SetConfig(server)
	}
	r.tlsConfig = server
	return nil
}

// listenTLS opens the listeners of tls-port in the place of those that are open.
func (r *Replica) listenTLS() error {
	var next *tlsio.Server
	if r.v.TLSPort != 0 {
		var err error
		next, err = tlsio.Listen(r.tlsConfig, tlsio.Options{
			Addrs:     bindAddrs(r.v, r.v.TLSPort),
			MaxConns:  r.v.MaxClients,
			KeepAlive: time.Duration(r.v.TCPKeepalive) * time.Second,
			Adopt: func(fd int, remote, local netip.AddrPort, closed func()) bool {
				return r.loop.Adopt(fd, remote, local, closed)
			},
			Logf: func(format string, args ...any) { r.Logf(commands.LogVerbose, format, args...) },
		})
		if err != nil {
			return err
		}
	}
	if old := r.tlsServer; old != nil {
		// Its connections stay; they end with their clients, or with the loop.
		old.CloseListeners()
	}
	r.tlsServer, r.tlsPort = next, r.v.TLSPort
	return nil
}

// watchTLS applies changes while the server runs.
func (r *Replica) watchTLS() {
	r.conf.OnChange(func() error {
		if err := r.configureTLS(); err != nil {
			r.Logf(commands.LogWarning, "TLS: %v", err)
			return config.Refuse("Unable to update TLS configuration. Check server logs.")
		}
		r.updateLink()
		r.dropRedirects()
		return nil
	}, tlsDirectives...)
	r.conf.OnChange(func() error {
		if r.v.TLSPort == r.tlsPort {
			return nil // another directive of the same CONFIG SET was refused
		}
		err := r.configureTLS()
		if err == nil {
			err = r.listenTLS()
		}
		if err != nil {
			r.Logf(commands.LogWarning, "TLS: %v", err)
			return config.Refuse("Unable to listen on this port. Check server logs.")
		}
		return nil
	}, "tls-port")
}

// TLSAddrs are the addresses that the server listens on for TLS. They are known
// from the return of NewFromConfig on; call it before Run, or on the loop.
func (r *Replica) TLSAddrs() []net.Addr {
	if r.tlsServer == nil {
		return nil
	}
	return r.tlsServer.Addrs()
}

// masterDialer is how to connect to the master, by TLS or not, as the
// directives say now. The function may be called by any goroutine; it returns when
// the handshake is done, and goes on with the certificates of the moment in which it was made.
func (r *Replica) masterDialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := new(net.Dialer)
	if r.tlsClient == nil {
		return dialFrom(plain, r.v.BindSourceAddr, plain.DialContext)
	}
	return dialFrom(plain, r.v.BindSourceAddr, tlsio.Dialer(plain, r.tlsClient))
}

// dialFrom has plain connect from the address source (bind-source-addr), an IP or empty. One that is
// no address is an error of each attempt, which the log tells.
func dialFrom(plain *net.Dialer, source string, dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	if source == "" {
		return dial
	}
	ip := net.ParseIP(source)
	plain.LocalAddr = &net.TCPAddr{IP: ip}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if network == "unix" {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		if ip == nil {
			return nil, fmt.Errorf("bind-source-addr %q is not an address", source)
		}
		return dial(ctx, network, addr)
	}
}

// fitTLS returns how many clients the limit on open files has room for, and how
// many descriptors to keep free, when each client may come by TLS: its socket and
// the two ends of a pair.
func fitTLS(maxClients int) (fit, reserve int) {
	fit = maxClients
	if limit := openFileLimit(); limit > 0 {
		fit = int(min(int64(fit), max((limit-100)/3, 1)))
	}
	return fit, 32 + 2*fit
}
