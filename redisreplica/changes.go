package redisreplica

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/glob"
)

// EventKind says what a ChangeEvent tells of.
type EventKind uint8

// The kinds of events.
const (
	KeyChanged      EventKind = iota // one key: Command and Key say what and which
	DatabaseChanged                  // a whole database, by FLUSHDB, FLUSHALL (Database is -1) or SWAPDB
	Resynced                         // a full sync has put another dataset in place
	Overflow                         // events were lost, since the program was too slow: Lost of them
)

// ChangeEvent is a change of the dataset. After DatabaseChanged, Resynced and Overflow, what a program keeps besides is to be built anew: by
// Storage.Scan, for example.
type ChangeEvent struct {
	Kind     EventKind
	Database int    // -1: all
	Key      string // KeyChanged only
	// Command is what happened, by the names of keyspace notifications: set, del, expired, evicted, hset, lpush, rename_to …
	Command string
	Type    string // type of the key now, "none" if it is gone; with WithValues only
	Value   any    // the value as it is now, nil if it is gone; with WithValues only: see there
	Lost    int64  // Overflow only
}

// ChangeOption is an argument of OnChange.
type ChangeOption func(*subscription)

// WithValues has events carry the type and the value of the key, as they are when the function is called (a later event may have changed them
// again already): []byte for a string, map[string]string for a hash, []string for a list or a set, []Member, []StreamEntry.
func WithValues() ChangeOption { return func(s *subscription) { s.values = true } }

// WithQueue is the number of events that may wait for the function; 4096 by default.
func WithQueue(n int) ChangeOption {
	return func(s *subscription) { s.size = max(n, 1) }
}

const defaultQueue = 4096

// changeHub is who hears of changes.
type changeHub struct {
	mu   sync.Mutex
	subs []*subscription // replaced, never changed
	list atomic.Pointer[[]*subscription]
}

type subscription struct {
	r       *Replica
	pattern glob.Pattern
	values  bool
	size    int
	fn      func(ChangeEvent)
	queue   chan ChangeEvent
	lost    atomic.Int64
	stop    chan struct{}
	once    sync.Once
}

// OnChange has fn told of every change of keys that a glob matches ("*" or "" for all), whoever made it: the master, clients, expiry; and of what
// concerns whole databases. fn is called from a goroutine of its own, one event after the other in the order of the changes. The server
// never waits for it: when the queue is full, events are dropped, and an Overflow event says how many. cancel ends it; fn is not called
// afterwards, but for a call that is under way. It may be called before Start, which is the way to miss nothing.
func (r *Replica) OnChange(pattern string, fn func(ChangeEvent), options ...ChangeOption) (cancel func(), err error) {
	if fn == nil {
		return nil, errors.New("redisreplica: OnChange without a function")
	}
	if pattern == "" {
		pattern = "*"
	}
	s := &subscription{r: r, pattern: glob.Compile([]byte(pattern)), fn: fn, size: defaultQueue, stop: make(chan struct{})}
	for _, o := range options {
		o(s)
	}
	s.queue = make(chan ChangeEvent, s.size)
	if !r.goWhileOpen(s.run) {
		return nil, ErrClosed
	}
	r.changeSubs(func(list []*subscription) []*subscription { return append(list, s) })
	return func() {
		s.once.Do(func() {
			r.changeSubs(func(list []*subscription) []*subscription {
				kept := list[:0]
				for _, x := range list {
					if x != s {
						kept = append(kept, x)
					}
				}
				return kept
			})
			close(s.stop)
		})
	}, nil
}

// changeSubs puts a changed list in place, and the hook if there is anyone to tell.
func (r *Replica) changeSubs(change func([]*subscription) []*subscription) {
	h := &r.lib.changes
	h.mu.Lock()
	defer h.mu.Unlock()
	had := len(h.subs) > 0
	h.subs = change(append([]*subscription(nil), h.subs...))
	list := h.subs
	h.list.Store(&list)
	if has := len(list) > 0; has != had {
		r.onLoop(func() {
			if has {
				r.srv.OnChange(r.changed)
			} else {
				r.srv.OnChange(nil)
			}
		})
	}
}

// onLoop runs fn on the loop: before the start, right at it.
func (r *Replica) onLoop(fn func()) {
	if r.visit(fn) != nil {
		r.loop.Post(fn)
	}
}

// changed is the server's hook; it runs on the loop goroutine and never waits.
func (r *Replica) changed(db int, event string, key []byte) {
	list := r.lib.changes.list.Load()
	if list == nil {
		return
	}
	e := ChangeEvent{Database: db, Command: event}
	switch {
	case key != nil:
		e.Kind = KeyChanged
	case event == "resync":
		e.Kind = Resynced
	default:
		e.Kind = DatabaseChanged
	}
	for _, s := range *list {
		if key != nil {
			if !s.pattern.Match(key) {
				continue
			}
			if e.Key == "" {
				e.Key = string(key)
			}
		}
		select {
		case s.queue <- e:
		default:
			s.lost.Add(1)
		}
	}
}

// run hands the events to the program.
func (s *subscription) run(closing <-chan struct{}) {
	for {
		select {
		case e := <-s.queue:
			s.deliver(e)
		case <-s.stop:
			return
		case <-closing:
			return
		}
	}
}

func (s *subscription) deliver(e ChangeEvent) {
	select {
	case <-s.stop: // both were ready
		return
	default:
	}
	if s.values && e.Kind == KeyChanged {
		s.addValue(&e)
	}
	s.fn(e)
	// Some of what is in the queue may be older than what was lost, some newer: the program builds anew in either case, and the sooner the better.
	if n := s.lost.Swap(0); n > 0 {
		s.fn(ChangeEvent{Kind: Overflow, Database: -1, Lost: n})
	}
}

// addValue looks the key up.
func (s *subscription) addValue(e *ChangeEvent) {
	st := &Storage{s.r, e.Database}
	var err error
	if e.Type, err = st.Type(e.Key); err != nil {
		return
	}
	switch e.Type {
	case "string":
		var v []byte
		if v, err = st.Get(e.Key); err == nil {
			e.Value = v
		}
	case "hash":
		e.Value, err = st.HGetAll(e.Key)
	case "list":
		e.Value, err = st.LRange(e.Key, 0, -1)
	case "set":
		e.Value, err = st.SMembers(e.Key)
	case "zset":
		e.Value, err = st.ZRange(e.Key, 0, -1)
	case "stream":
		e.Value, err = st.XRange(e.Key, "-", "+", 0)
	}
	if err != nil { // it has become another, or is gone: an event of that follows
		e.Value = nil
	}
}
