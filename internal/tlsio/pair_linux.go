package tlsio

import (
	"net"
	"os"
	"syscall"
)

// listens tells whether the system has what the listener needs.
const listens = true

// pair makes the socket pair and returns the loop's end.
func (c *session) pair() (fd int, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	f := os.NewFile(uintptr(fds[1]), "tls")
	nc, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		_ = syscall.Close(fds[0])
		return 0, err
	}
	c.inner = nc.(*net.UnixConn)
	return fds[0], nil
}

// readSocket reads what is there; EAGAIN says nothing.
func readSocket(fd uintptr, b []byte) (n int, err error) {
	for {
		if n, err = syscall.Read(int(fd), b); err != syscall.EINTR {
			return n, err
		}
	}
}
