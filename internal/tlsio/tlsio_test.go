package tlsio

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// TestEncryptedKeys: keys that OpenSSL encrypted in its present and its former formats; the password is "secret".
func TestEncryptedKeys(t *testing.T) {
	for _, name := range []string{"pbes2.key", "pbes2-sha1.key", "legacy.key"} {
		if _, err := loadPair("testdata/encrypted.crt", "testdata/"+name, "secret"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, wrong := range []string{"", "Secret"} {
			if _, err := loadPair("testdata/encrypted.crt", "testdata/"+name, wrong); err == nil {
				t.Errorf("%s was opened by %q", name, wrong)
			}
		}
	}
	if _, err := loadPair("testdata/encrypted.crt", "testdata/pbes1.key", "secret"); err == nil || !strings.Contains(err.Error(), "not supported") {
		t.Errorf("an outdated cipher: %v", err)
	}
}

// FuzzPKCS8: no bytes of a key file do harm.
func FuzzPKCS8(f *testing.F) {
	for _, name := range []string{"pbes2.key", "pbes2-sha1.key", "pbes1.key"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		b, _ := pem.Decode(text)
		f.Add(b.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 4<<10 {
			return
		}
		if plain, err := decryptPKCS8(der, []byte("secret")); err == nil && len(plain) >= len(der) {
			t.Fatalf("%d bytes out of %d", len(plain), len(der))
		}
	})
}

func TestSettings(t *testing.T) {
	ca := testutil.NewAuthority(t)
	ca.Issue("a")
	ca.Issue("b")
	good := Settings{CertFile: ca.Path("a.crt"), KeyFile: ca.Path("a.key"), CAFile: ca.Path("ca.crt"), ClientAuth: tls.RequireAndVerifyClientCert}
	cfg, err := good.Server()
	if err != nil || cfg.MinVersion != tls.VersionTLS12 || cfg.ClientCAs == nil || !cfg.SessionTicketsDisabled {
		t.Fatalf("%+v, %v", cfg, err)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "x.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(s *Settings){
		"no certificate":             func(s *Settings) { s.CertFile = "" },
		"no key":                     func(s *Settings) { s.KeyFile = "" },
		"a missing file":             func(s *Settings) { s.CertFile += "x" },
		"a key of another":           func(s *Settings) { s.KeyFile = ca.Path("b.key") },
		"no authority":               func(s *Settings) { s.CAFile = "" },
		"an authority that is a key": func(s *Settings) { s.CAFile = ca.Path("a.key") },
		"a folder without authority": func(s *Settings) { s.CADir = empty },
		"a folder that is not there": func(s *Settings) { s.CADir = empty + "/x" },
		"an unknown version":         func(s *Settings) { s.Protocols = "TLSv1.2 SSLv3" },
		"suites that nobody has":     func(s *Settings) { s.Ciphers = "ECDHE-NOSUCH:DHE-NOSUCH" },
	} {
		s := good
		change(&s)
		if _, err := s.Server(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	s := good
	s.CAFile, s.CADir, s.Protocols, s.Ciphers, s.SessionCaching = "", ca.Dir, "TLSv1.3 TLSv1.1", "ECDHE-RSA-AES128-GCM-SHA256:DEFAULT:!MEDIUM", true
	if cfg, err = s.Server(); err != nil || cfg.MinVersion != tls.VersionTLS11 || cfg.MaxVersion != tls.VersionTLS13 || cfg.SessionTicketsDisabled ||
		len(cfg.CipherSuites) != 1 || cfg.CipherSuites[0] != tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 {
		t.Errorf("%+v, %v", cfg, err)
	}
	s.Ciphers = "DEFAULT:!MEDIUM"
	if cfg, err = s.Server(); err != nil || cfg.CipherSuites != nil {
		t.Errorf("%+v, %v", cfg.CipherSuites, err)
	}
	// The client needs an authority and may show no certificate.
	if cfg, err = (&Settings{CAFile: ca.Path("ca.crt")}).Client(); err != nil || len(cfg.Certificates) != 0 {
		t.Errorf("%v", err)
	}
	if _, err = (&Settings{}).Client(); err == nil {
		t.Error("a client without authority")
	}
}

// A loop that echoes: what a Server hands over is answered by a goroutine.
func echo(fd int, _, _ netip.AddrPort, closed func()) bool {
	f := os.NewFile(uintptr(fd), "loop")
	nc, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return false
	}
	go func() {
		_, _ = io.Copy(nc, nc)
		nc.Close()
		closed()
	}()
	return true
}

func listenEcho(t *testing.T, opt Options) (*Server, *testutil.Authority, *tls.Config) {
	t.Helper()
	ca := testutil.NewAuthority(t)
	ca.Issue("server", "name.test")
	s := Settings{CertFile: ca.Path("server.crt"), KeyFile: ca.Path("server.key")}
	cfg, err := s.Server()
	if err != nil {
		t.Fatal(err)
	}
	opt.Addrs = []string{"127.0.0.1:0", "-192.0.2.1:0"} // the second is of no interface here
	if opt.Adopt == nil {
		opt.Adopt = echo
	}
	if opt.MaxConns == 0 {
		opt.MaxConns = 100
	}
	srv, err := Listen(cfg, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		srv.Close()
		srv.Wait()
		if n := srv.Sessions(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
	return srv, ca, &tls.Config{RootCAs: ca.Pool, ServerName: "name.test"}
}

// TestEcho: much in both directions, then the end of the client's side.
func TestEcho(t *testing.T) {
	srv, _, cfg := listenEcho(t, Options{})
	before := runtime.NumGoroutine()
	nc, err := tls.Dial("tcp", srv.Addrs()[0].String(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	const size = 20 << 20
	go func() {
		buf := make([]byte, 100<<10)
		for i := range buf {
			buf[i] = byte(i * 7)
		}
		for left := size; left > 0; left -= len(buf) {
			buf = buf[:min(left, len(buf))]
			if _, err := nc.Write(buf); err != nil {
				return
			}
		}
		nc.CloseWrite()
	}()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	got, err := io.ReadAll(nc)
	if err != nil || len(got) != size {
		t.Fatalf("%d bytes came back: %v", len(got), err)
	}
	for i := range got {
		if got[i] != byte(i%(100<<10)*7) {
			t.Fatalf("byte %d is %d", i, got[i])
		}
	}
	nc.Close()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// TestSilence: a peer that never speaks TLS is cut, and one too many is not let in.
func TestSilence(t *testing.T) {
	srv, _, cfg := listenEcho(t, Options{HandshakeTimeout: 100 * time.Millisecond, MaxConns: 1})
	addr := srv.Addrs()[0].String()
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	silent.SetDeadline(time.Now().Add(5 * time.Second))
	for srv.Sessions() == 0 {
		time.Sleep(time.Millisecond)
	}
	if nc, err := tls.Dial("tcp", addr, cfg); err == nil {
		nc.Close()
		t.Error("a second connection was let in")
	}
	if _, err := silent.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the silent peer read %v", err)
	}
	srv.SetMaxConns(2)
	nc, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

// TestLoopCloses: what the loop wrote before it closed arrives; a client that reads nothing does not hold the session for longer than
// Linger.
func TestLoopCloses(t *testing.T) {
	const size = 100 << 10
	srv, _, cfg := listenEcho(t, Options{Linger: 200 * time.Millisecond, Adopt: func(fd int, remote, local netip.AddrPort, closed func()) bool {
		f := os.NewFile(uintptr(fd), "loop")
		nc, err := net.FileConn(f)
		f.Close()
		if err != nil || !remote.IsValid() || !local.IsValid() {
			return false
		}
		go func() {
			_, _ = nc.Write(make([]byte, size))
			nc.Close()
			closed()
		}()
		return true
	}})
	addr := srv.Addrs()[0].String()
	nc, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(5 * time.Second))
	if got, err := io.ReadAll(nc); len(got) != size || err != nil {
		t.Errorf("%d bytes: %v", len(got), err)
	}
	idle, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	for deadline := time.Now().Add(5 * time.Second); srv.Sessions() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions linger", srv.Sessions())
		}
	}
}

func TestDialer(t *testing.T) {
	srv, ca, _ := listenEcho(t, Options{})
	addr := srv.Addrs()[0].String()
	dial := func(s Settings) error {
		cfg, err := s.Client()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		nc, err := Dialer(new(net.Dialer), cfg)(ctx, "tcp", addr)
		if err == nil {
			nc.Close()
		}
		return err
	}
	if err := dial(Settings{CAFile: ca.Path("ca.crt")}); err != nil {
		t.Error(err)
	}
	if err := dial(Settings{CAFile: ca.Path("ca.crt"), VerifyName: true}); err != nil {
		t.Errorf("the certificate is for 127.0.0.1: %v", err)
	}
	if err := dial(Settings{CAFile: testutil.NewAuthority(t).Path("ca.crt")}); err == nil {
		t.Error("a stranger was believed")
	}
	// A server that says nothing is left at the end of the context.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cfg, err := (&Settings{CAFile: ca.Path("ca.crt")}).Client()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if nc, err := Dialer(new(net.Dialer), cfg)(ctx, "tcp", silent.Addr().String()); err == nil {
		nc.Close()
		t.Error("a handshake with nobody")
	}
}
