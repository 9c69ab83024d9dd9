package commands

import (
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
)

// Keyspace events: what happened to a key, told to those who listen. Which
// classes are told at all is notify-keyspace-events. On a replica the writes of
// the master's stream fire them like any other write.

const (
	notifyGeneric = config.NotifyGeneric
	notifyString  = config.NotifyString
	notifyList    = config.NotifyList
	notifySet     = config.NotifySet
	notifyHash    = config.NotifyHash
	notifyZset    = config.NotifyZset
	notifyExpired = config.NotifyExpired
	notifyStream  = config.NotifyStream
	notifyKeyMiss = config.NotifyKeyMiss
)

// notify reports an event of a key in the client's database.
func (c *Client) notify(class config.EventClasses, event string, key []byte) {
	if c.srv.notifyFlags&class == 0 {
		return
	}
	c.srv.notifyEvent(class, event, key, c.db.ID)
}

// notifyEvent reports an event of a key in database db.
func (s *Server) notifyEvent(class config.EventClasses, event string, key []byte, db int) {
	if s.notifyFlags&class == 0 {
		return
	}
	if s.changeHook != nil && class != notifyKeyMiss {
		s.changeHook(db, event, key)
	}
	if s.V.NotifyKeyspaceEvents&class == 0 || s.pubsub.empty() {
		return
	}
	var tmp [64]byte
	if s.V.NotifyKeyspaceEvents&config.NotifyKeyspace != 0 {
		ch := append(tmp[:0], "__keyspace@"...)
		ch = strconv.AppendInt(ch, int64(db), 10)
		ch = append(append(ch, "__:"...), key...)
		s.publish(ch, []byte(event))
	}
	if s.V.NotifyKeyspaceEvents&config.NotifyKeyevent != 0 {
		ch := append(tmp[:0], "__keyevent@"...)
		ch = strconv.AppendInt(ch, int64(db), 10)
		ch = append(append(ch, "__:"...), event...)
		s.publish(ch, key)
	}
}
