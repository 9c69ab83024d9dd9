package commands

// Keyspace events, as notify-keyspace-events names their classes.
const (
	notifyKeyspace = 1 << iota // K
	notifyKeyevent             // E
	notifyGeneric              // g
	notifyString               // $
	notifyList                 // l
	notifySet                  // s
	notifyHash                 // h
	notifyZset                 // z
	notifyExpired              // x
	notifyEvicted              // e
	notifyStream               // t
	notifyKeyMiss              // m
	notifyModule               // d
	notifyNew                  // n
)

// notify reports an event of a key in the client's database to subscribers.
func (c *Client) notify(class int, event string, key []byte) {
	if c.srv.notifyFlags&class == 0 {
		return
	}
	c.srv.notifyEvent(class, event, key, c.db.ID)
}

func (s *Server) notifyEvent(class int, event string, key []byte, db int) {}
