package redisreplica

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/logging"
)

// TestSlowSubscriberIsDropped: a subscriber that does not read must not make the
// server keep every message: client-output-buffer-limit ends it.
func TestSlowSubscriberIsDropped(t *testing.T) {
	conf := config.New()
	sock := t.TempDir() + "/s"
	lines := "port 0\nunixsocket " + sock + "\nclient-output-buffer-limit pubsub 1mb 0 0\n"
	if err := conf.LoadLines("test", []byte(lines)); err != nil {
		t.Fatal(err)
	}
	log, err := logging.New(logging.Options{Level: logging.Warning, Output: io.Discard, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewFromConfig(conf, log)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Run() }()
	defer func() {
		r.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("unix", sock)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		return c
	}
	ask := func(c net.Conn, cmd string) string {
		if _, err := io.WriteString(c, cmd); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	slow, pub := dial(), dial()
	defer slow.Close()
	defer pub.Close()
	ask(slow, "SUBSCRIBE ch\r\n")
	msg := fmt.Sprintf("*3\r\n$7\r\nPUBLISH\r\n$2\r\nch\r\n$65536\r\n%s\r\n", strings.Repeat("x", 65536))
	for i := range 400 { // 25 MB: far beyond the limit and what the kernel takes
		switch got := ask(pub, msg); got {
		case ":1\r\n":
		case ":0\r\n":
			if i < 16 {
				t.Errorf("dropped after %d messages, below the limit", i)
			}
			return
		default:
			t.Fatalf("PUBLISH answers %q", got)
		}
	}
	t.Error("the subscriber is still there after 25 MB")
}
