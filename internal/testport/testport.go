// Package testport hands out TCP ports for the servers that tests start.
//
// Asking the system for port 0 and closing the socket again gives a port that
// another test, or any outgoing connection, may take a moment later. The ports
// here lie below the range that systems use for outgoing connections, and each
// is reserved by a lock on a file for as long as the process lives, so that test
// binaries running side by side do not meet.
package testport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

const (
	first = 20000
	last  = 31999
)

var (
	mu   sync.Mutex
	held []*os.File
)

// Free returns a port on 127.0.0.1 that nobody listens on and that no other
// caller gets while this process lives. Any goroutine may call it.
func Free() (int, error) {
	dir := filepath.Join(os.TempDir(), "replica-test-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return 0, err
	}
	mu.Lock()
	defer mu.Unlock()
	const n = last - first + 1
	start := rand.IntN(n)
	for i := range n {
		port := first + (start+i)%n
		f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			continue
		}
		if lock(f) != nil {
			f.Close()
			continue
		}
		l, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			f.Close()
			continue
		}
		l.Close()
		held = append(held, f)
		return port, nil
	}
	return 0, fmt.Errorf("testport: no free port from %d to %d", first, last)
}
