package tls

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

// server is one of ours with a TLS port.
type server struct {
	*testutil.Server
	ca   *testutil.Authority
	addr string
	port string
}

func start(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{ca: testutil.NewAuthority(t)}
	s.ca.Issue("server", "replica.test")
	port, err := testutil.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s.port = strconv.Itoa(port)
	s.addr = net.JoinHostPort("127.0.0.1", s.port)
	args = append(append([]string{"--tls-port", s.port}, s.ca.Directives("server")...), args...)
	s.Server = testutil.StartOurs(t, args...)
	return s
}

// client is what a client with a certificate of the server's authority uses.
func (s *server) client() *tls.Config {
	return &tls.Config{RootCAs: s.ca.Pool, Certificates: []tls.Certificate{s.ca.Issue("client")}, ServerName: "replica.test"}
}

func (s *server) dial(t *testing.T, cfg *tls.Config) *testutil.Conn {
	t.Helper()
	nc, err := tls.Dial("tcp", s.addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return testutil.NewConn(nc)
}

// refused tells whether a client gets no answer over a configuration. With TLS 1.3 the server's refusal comes after the handshake.
func (s *server) refused(cfg *tls.Config) error {
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.addr, cfg)
	if err != nil {
		return nil
	}
	defer nc.Close()
	if v, err := testutil.NewConn(nc).Do("PING"); err == nil {
		return fmt.Errorf("PING was answered: %v", v)
	}
	return nil
}

func TestClients(t *testing.T) {
	s := start(t)
	cfg := s.client()
	c := s.dial(t, cfg)
	c.Must(t, "SET", "k", "v")
	if v := c.Must(t, "GET", "k"); v.Text != "v" {
		t.Errorf("GET: %v", v)
	}
	// The address is the client's own, not that of the socket pair.
	info := c.Must(t, "CLIENT", "INFO").Text
	if want := " addr=" + c.Net().LocalAddr().String() + " laddr=" + s.addr + " "; !strings.Contains(info, want) {
		t.Errorf("CLIENT INFO %q lacks %q", info, want)
	}
	if n := c.Must(t, "CLIENT", "KILL", "ADDR", c.Net().LocalAddr().String()); n.Text != "0" {
		t.Errorf("a client killed itself: %v", n)
	}
	// Killed from outside, the client sees the end at once.
	victim := s.dial(t, cfg)
	victim.Must(t, "PING")
	if n := s.Dial(t).Must(t, "CLIENT", "KILL", "ADDR", victim.Net().LocalAddr().String()); n.Text != "1" {
		t.Errorf("CLIENT KILL: %v", n)
	}
	if _, closed := victim.ReadAll(3 * time.Second); !closed {
		t.Error("a killed client was not told")
	}
	// QUIT's reply comes before the end.
	q := s.dial(t, cfg)
	if v := q.Must(t, "QUIT"); v.Text != "OK" {
		t.Errorf("QUIT: %v", v)
	}
	// Plain clients, wrong authorities and missing certificates get nothing.
	plain, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	fmt.Fprint(plain, "PING\r\n")
	plain.SetDeadline(time.Now().Add(5 * time.Second))
	if b, _ := io.ReadAll(plain); strings.Contains(string(b), "PONG") {
		t.Errorf("a plain client was answered %q", b)
	}
	stranger := testutil.NewAuthority(t)
	for name, bad := range map[string]*tls.Config{
		"no certificate":             {RootCAs: s.ca.Pool, ServerName: "replica.test"},
		"a stranger's certificate":   {RootCAs: s.ca.Pool, ServerName: "replica.test", Certificates: []tls.Certificate{stranger.Issue("client")}},
		"an authority of its own":    {RootCAs: stranger.Pool, ServerName: "replica.test", Certificates: cfg.Certificates},
		"a version that is too low":  {RootCAs: s.ca.Pool, ServerName: "replica.test", Certificates: cfg.Certificates, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"another name of the server": {RootCAs: s.ca.Pool, ServerName: "other.test", Certificates: cfg.Certificates},
	} {
		if err := s.refused(bad); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.Must(t, "PING")
	// tls-auth-clients by CONFIG SET holds from the next connection on.
	for mode, want := range map[string]bool{"no": true, "optional": true, "yes": false} {
		c.Must(t, "CONFIG", "SET", "tls-auth-clients", mode)
		err := s.refused(&tls.Config{RootCAs: s.ca.Pool, ServerName: "replica.test"})
		if (err != nil) != want {
			t.Errorf("tls-auth-clients %s: %v", mode, err)
		}
	}
	c.Must(t, "CONFIG", "SET", "tls-auth-clients", "optional")
	if err := s.refused(&tls.Config{RootCAs: s.ca.Pool, ServerName: "replica.test", Certificates: []tls.Certificate{stranger.Issue("client")}}); err != nil {
		t.Errorf("optional, with a stranger's certificate: %v", err)
	}
	c.Must(t, "CONFIG", "SET", "tls-protocols", "TLSv1.2")
	twelve := cfg.Clone()
	twelve.MinVersion = tls.VersionTLS13
	if err := s.refused(twelve); err != nil {
		t.Errorf("tls-protocols TLSv1.2: %v", err)
	}
	if got := s.dial(t, cfg).Net().(*tls.Conn).ConnectionState().Version; got != tls.VersionTLS12 {
		t.Errorf("version %x with tls-protocols TLSv1.2", got)
	}
	for _, bad := range [][]string{{"tls-protocols", "SSLv3"}, {"tls-cert-file", "/nosuch"}, {"tls-ca-cert-file", ""}, {"tls-key-file", s.ca.Path("client.key")}, {"tls-ciphers", "ECDHE-NOSUCH"}} {
		if v, err := c.Do("CONFIG", "SET", bad[0], bad[1]); err != nil || !strings.Contains(v.Text, "Unable to update TLS configuration") {
			t.Errorf("CONFIG SET %v: %v, %v", bad, v, err)
		}
	}
	s.dial(t, cfg).Must(t, "PING")
}

// TestRedisCli: the client that everybody has.
func TestRedisCli(t *testing.T) {
	s := start(t)
	s.ca.Issue("client")
	out, err := exec.Command("redis-cli", "-p", s.port, "--tls", "--cacert", s.ca.Path("ca.crt"), "--cert", s.ca.Path("client.crt"),
		"--key", s.ca.Path("client.key"), "--sni", "replica.test", "ECHO", "hello").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "hello" {
		t.Errorf("redis-cli --tls: %q, %v", out, err)
	}
}

// TestPipelinesAndHalfClose: more bytes than all buffers on the way hold, in both directions, and replies after the client has said all.
func TestPipelinesAndHalfClose(t *testing.T) {
	s := start(t, "--tls-auth-clients", "no")
	cfg := &tls.Config{RootCAs: s.ca.Pool, ServerName: "replica.test"}
	big := strings.Repeat("x", 8<<20)
	c := s.dial(t, cfg)
	c.SetTimeout(30 * time.Second)
	c.Must(t, "SET", "big", big)
	const n = 20000
	var req []byte
	for i := range n {
		req = testutil.AppendCommand(req, "SET", "k"+strconv.Itoa(i%100), strconv.Itoa(i))
	}
	for range 4 {
		req = testutil.AppendCommand(req, "GET", "big")
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(req)
		if err == nil {
			err = c.Net().(*tls.Conn).CloseWrite()
		}
		sent <- err
	}()
	time.Sleep(100 * time.Millisecond) // the replies pile up
	for i := range n + 4 {
		v, _, err := c.Read()
		if err != nil {
			t.Fatalf("reply %d: %v", i, err)
		}
		if i < n && v.Text != "OK" || i >= n && v.Text != big {
			t.Fatalf("reply %d: %.40q", i, v.Text)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if _, closed := c.ReadAll(5 * time.Second); !closed {
		t.Error("the connection stayed open after the client had said all")
	}
	// A client that does not read meets its output limit, and is cut.
	ctl := s.Dial(t)
	ctl.Must(t, "CONFIG", "SET", "client-output-buffer-limit", "normal 10mb 0 0")
	slow := s.dial(t, cfg)
	for range 8 {
		if err := slow.Send("GET", "big"); err != nil {
			break
		}
	}
	testutil.Eventually(t, 5*time.Second, "the slow client is cut", func() error {
		if list := ctl.Must(t, "CLIENT", "LIST").Text; strings.Contains(list, slow.Net().LocalAddr().String()) {
			return fmt.Errorf("still there: %s", list)
		}
		return nil
	})
}

// TestSlowHandshakes: peers that say nothing, or little, cost themselves only.
func TestSlowHandshakes(t *testing.T) {
	s := start(t, "--tls-auth-clients", "no")
	for i := range 100 {
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if i%2 == 0 {
			nc.Write([]byte{0x16, 3, 1, 2, 0, 1}) // the beginning of a ClientHello
		}
	}
	c := s.dial(t, &tls.Config{RootCAs: s.ca.Pool, ServerName: "replica.test"})
	worst := time.Duration(0)
	for range 200 {
		begin := time.Now()
		c.Must(t, "PING")
		worst = max(worst, time.Since(begin))
	}
	if worst > time.Second {
		t.Errorf("a PING took %v beside slow handshakes", worst)
	}
	if list := s.Dial(t).Must(t, "CLIENT", "LIST").Text; strings.Count(list, "\n") != 2 {
		t.Errorf("peers without a handshake are clients:\n%s", list)
	}
}

// TestReloadUnderLoad: certificates and authority are exchanged while clients come, go and stay. None is lost, and from then on the
// new certificate is shown.
func TestReloadUnderLoad(t *testing.T) {
	s := start(t, "--tls-auth-clients", "no")
	cfg := &tls.Config{RootCAs: s.ca.Pool, ServerName: "replica.test"}
	stay := s.dial(t, cfg)
	serial := func() string {
		nc, err := tls.Dial("tcp", s.addr, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return nc.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	var (
		stop  atomic.Bool
		count atomic.Int64
		wg    sync.WaitGroup
	)
	errs := make(chan error, 8)
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				nc, err := tls.Dial("tcp", s.addr, cfg)
				if err == nil {
					_, err = testutil.NewConn(nc).Do("PING")
					nc.Close()
				}
				if err != nil {
					errs <- err
					return
				}
				count.Add(1)
			}
		})
	}
	seen := map[string]bool{serial(): true}
	for range 10 {
		s.ca.Issue("server", "replica.test")
		stay.Must(t, "CONFIG", "SET", "tls-cert-file", s.ca.Path("server.crt"), "tls-key-file", s.ca.Path("server.key"))
		if n := serial(); seen[n] {
			t.Errorf("certificate %s is still shown", n)
		} else {
			seen[n] = true
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if count.Load() < 20 {
		t.Errorf("only %d connections were made meanwhile", count.Load())
	}
	// A change of tls-port moves the listener; connections stay.
	port, err := testutil.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	stay.Must(t, "CONFIG", "SET", "tls-port", strconv.Itoa(port))
	stay.Must(t, "PING")
	if nc, err := net.Dial("tcp", s.addr); err == nil {
		nc.Close()
		t.Error("the old port still listens")
	}
	s.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s.dial(t, cfg).Must(t, "PING")
}

// TestPubSubAndMaxclients: pushes of other clients come through, and the limit on clients holds.
func TestPubSubAndMaxclients(t *testing.T) {
	s := start(t, "--tls-auth-clients", "no", "--maxclients", "4")
	cfg := &tls.Config{RootCAs: s.ca.Pool, ServerName: "replica.test"}
	sub, pub := s.dial(t, cfg), s.dial(t, cfg)
	sub.Must(t, "SUBSCRIBE", "c")
	if v := pub.Must(t, "PUBLISH", "c", "m"); v.Text != "1" {
		t.Errorf("PUBLISH: %v", v)
	}
	if v, _, err := sub.Read(); err != nil || len(v.Elems) != 3 || v.Elems[2].Text != "m" {
		t.Errorf("message: %v, %v", v, err)
	}
	s.dial(t, cfg).Must(t, "PING")
	s.dial(t, cfg).Must(t, "PING")
	if err := s.refused(cfg); err != nil {
		t.Error(err)
	}
}

// A master that speaks TLS, with a user that may do what a replica needs and nothing else.
func startMaster(t *testing.T, ca *testutil.Authority, args ...string) (m *testutil.Server, tlsPort string) {
	t.Helper()
	port, err := testutil.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	tlsPort = strconv.Itoa(port)
	args = append(append([]string{"--tls-port", tlsPort}, ca.Directives("master")...), args...)
	return testutil.StartRedis(t, args...), tlsPort
}

// follow waits until a replica is in step with its master.
func follow(t *testing.T, m, r *testutil.Conn) {
	t.Helper()
	testutil.Eventually(t, 10*time.Second, "the replica follows", func() error {
		i, err := r.Info("replication")
		if err != nil {
			return err
		}
		if i["master_link_status"] != "up" {
			return fmt.Errorf("master_link_status %s", i["master_link_status"])
		}
		return testutil.SameDigest(m, r)
	})
}

// TestMasterLink: full sync, stream and a partial resync over TLS with a client certificate, as a user with +psync +replconf +ping alone; a
// certificate of the master that is exchanged; and a master that nobody we trust has signed.
func TestMasterLink(t *testing.T) {
	ca := testutil.NewAuthority(t)
	ca.Issue("master")
	ca.Issue("replica")
	m, tlsPort := startMaster(t, ca)
	mc := m.Dial(t)
	mc.Must(t, "ACL", "SETUSER", "repl", "on", ">secret", "-@all", "+psync", "+replconf", "+ping")
	for i := range 1000 {
		mc.Must(t, "SET", "k"+strconv.Itoa(i), strings.Repeat("v", i))
	}
	r := testutil.StartOurs(t, append(ca.Directives("replica"), "--tls-replication", "yes", "--masteruser", "repl", "--masterauth", "secret",
		"--replicaof", "127.0.0.1 "+tlsPort)...)
	rc := r.Dial(t)
	follow(t, mc, rc)
	for i := range 1000 {
		mc.Must(t, "RPUSH", "list", strconv.Itoa(i))
	}
	follow(t, mc, rc)
	// The master exchanges its certificate; the link comes back by a partial resync.
	ca.Issue("master")
	mc.Must(t, "CONFIG", "SET", "tls-cert-file", ca.Path("master.crt"), "tls-key-file", ca.Path("master.key"))
	// And we ours.
	ca.Issue("replica")
	rc.Must(t, "CONFIG", "SET", "tls-cert-file", ca.Path("replica.crt"), "tls-key-file", ca.Path("replica.key"))
	mc.Must(t, "CLIENT", "KILL", "TYPE", "replica")
	mc.Must(t, "SET", "after", "1")
	follow(t, mc, rc)
	if i, err := mc.Info("stats"); err != nil || i["sync_full"] != "1" || i["sync_partial_ok"] != "1" {
		t.Errorf("sync_full %s, sync_partial_ok %s: %v", i["sync_full"], i["sync_partial_ok"], err)
	}
	// An authority that has not signed the master: no link, and the data is kept. With the right one it comes back.
	stranger := testutil.NewAuthority(t)
	rc.Must(t, "CONFIG", "SET", "tls-ca-cert-file", stranger.Path("ca.crt"))
	mc.Must(t, "CLIENT", "KILL", "TYPE", "replica")
	testutil.Eventually(t, 5*time.Second, "the link is refused", func() error {
		if log := r.Log(); !strings.Contains(log, x509.UnknownAuthorityError{}.Error()) {
			return fmt.Errorf("no word of it in the log")
		}
		return nil
	})
	if v := rc.Must(t, "GET", "after"); v.Text != "1" {
		t.Errorf("data is gone while the link is down: %v", v)
	}
	rc.Must(t, "CONFIG", "SET", "tls-ca-cert-file", ca.Path("ca.crt"))
	follow(t, mc, rc)
	// The name counts only when asked for: the certificate is for 127.0.0.1, and not for localhost.
	rc.Must(t, "CONFIG", "SET", "tls-replication-verify-name", "yes")
	mc.Must(t, "CLIENT", "KILL", "TYPE", "replica")
	mc.Must(t, "SET", "named", "1")
	follow(t, mc, rc)
	rc.Must(t, "REPLICAOF", "localhost", tlsPort)
	testutil.Eventually(t, 5*time.Second, "the name is refused", func() error {
		if log := r.Log(); !strings.Contains(log, "to match localhost") {
			return fmt.Errorf("no word of it in the log")
		}
		return nil
	})
	rc.Must(t, "CONFIG", "SET", "tls-replication-verify-name", "no")
	follow(t, mc, rc)
}

// TestMasterWantsCertificate: without one of ours the master, whose tls-auth-clients is yes, turns the link down; with it all is well.
func TestMasterWantsCertificate(t *testing.T) {
	ca := testutil.NewAuthority(t)
	ca.Issue("master")
	ca.Issue("link")
	m, tlsPort := startMaster(t, ca)
	mc := m.Dial(t)
	mc.Must(t, "SET", "k", "v")
	r := testutil.StartOurs(t, "--tls-ca-cert-file", ca.Path("ca.crt"), "--tls-replication", "yes", "--replicaof", "127.0.0.1 "+tlsPort)
	rc := r.Dial(t)
	testutil.Eventually(t, 5*time.Second, "the master refuses", func() error {
		if log := r.Log(); !strings.Contains(log, "certificate required") && !strings.Contains(log, "bad certificate") && !strings.Contains(log, "Sync with master failed") {
			return fmt.Errorf("no word of it in the log")
		}
		return nil
	})
	rc.Must(t, "CONFIG", "SET", "tls-client-cert-file", ca.Path("link.crt"), "tls-client-key-file", ca.Path("link.key"))
	follow(t, mc, rc)
}
