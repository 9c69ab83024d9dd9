//go:build !linux

package tlsio

// listens tells whether the system has what the listener needs: the loop takes sockets of others over on Linux alone.
const listens = false

func (c *session) pair() (fd int, err error) { return 0, errNoListener }

func readSocket(uintptr, []byte) (int, error) { return 0, errNoListener }
