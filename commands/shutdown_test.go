package commands

import "testing"

// delayConn keeps what is set of its socket.
type delayConn struct {
	*fakeConn
	noDelay bool
}

func (c *delayConn) SetNoDelay(on bool) error {
	c.noDelay = on
	return nil
}

// TestReplicaDelay: repl-disable-tcp-nodelay is for the connections of replicas only, from the moment in which they are ones.
func TestReplicaDelay(t *testing.T) {
	for _, disable := range []string{"yes", "no"} {
		s, _ := newTestServer(t, "repl-disable-tcp-nodelay", disable)
		nextConnID++
		conn := &delayConn{&fakeConn{id: nextConnID}, true}
		c := s.NewClient(conn)
		do(c, "PING")
		if !conn.noDelay {
			t.Errorf("%s: a client is delayed", disable)
		}
		do(c, "PSYNC", "?", "-1")
		if conn.noDelay != (disable == "no") {
			t.Errorf("%s: a replica's socket has TCP_NODELAY %v", disable, conn.noDelay)
		}
	}
}
