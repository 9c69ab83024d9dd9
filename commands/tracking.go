package commands

import (
	"slices"
	"sort"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// Client-side caching. A client that tracks is told when a key that it may have
// cached changes.
//
//	normal mode     table  key ──► ids of the clients that read it; forgotten once told
//	broadcast mode  prefix ──► clients; keys that changed are collected and told once a turn
//
// The table is bounded by tracking-table-max-keys: beyond it, keys are dropped at
// random and their clients told, as if the keys had changed.

// trackState is a client's side of it; nil for most clients.
type trackState struct {
	redirect uint64 // id of the client that is told instead; 0 itself
	bcast    bool
	optin    bool
	optout   bool
	noloop   bool
	caching  bool // CLIENT CACHING was just sent
	broken   bool // the client redirected to is gone
	prefixes []string
}

type tracking struct {
	table    map[string][]uint64
	items    int // ids in the table
	prefixes map[string]*prefixState
	clients  int
	// pending is what the client in execution is told, after its reply.
	pending []byte
	// changed are the prefixes of which a key changed, for clients in broadcast mode.
	changed []string
}

type prefixState struct {
	clients []*Client
	keys    map[string]*Client // changed keys and who changed them
	order   []string
}

func newTracking() tracking {
	return tracking{table: make(map[string][]uint64), prefixes: make(map[string]*prefixState)}
}

func clientTrackingCommand(c *Client) {
	var t trackState
	var prefixes []string
	for j := 3; j < len(c.args); j++ {
		more := j+1 < len(c.args)
		switch opt := c.args[j]; {
		case equalFold(opt, "redirect") && more:
			j++
			if t.redirect != 0 {
				c.addReplyError("A client can only redirect to a single other client")
				return
			}
			id, ok := numeric.ParseInt(c.args[j])
			if !ok {
				c.addReplyError(errNotInteger)
				return
			}
			if c.srv.byID[uint64(id)] == nil {
				c.addReplyError("The client ID you want redirect to does not exist")
				return
			}
			t.redirect = uint64(id)
		case equalFold(opt, "bcast"):
			t.bcast = true
		case equalFold(opt, "optin"):
			t.optin = true
		case equalFold(opt, "optout"):
			t.optout = true
		case equalFold(opt, "noloop"):
			t.noloop = true
		case equalFold(opt, "prefix") && more:
			j++
			prefixes = append(prefixes, c.arg(j))
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	switch {
	case equalFold(c.args[2], "on"):
		if !c.trackingAllowed(&t, prefixes) {
			return
		}
		c.enableTracking(t, prefixes)
	case equalFold(c.args[2], "off"):
		c.srv.disableTracking(c)
	default:
		c.addReplyErrorSyntax()
		return
	}
	c.addReplyOK()
}

// trackingAllowed refuses combinations that contradict each other or the mode
// that is on already.
func (c *Client) trackingAllowed(t *trackState, prefixes []string) bool {
	refuse := func(text string) bool {
		c.addReplyError(text)
		return false
	}
	old := c.track
	switch {
	case !t.bcast && len(prefixes) > 0:
		return refuse("PREFIX option requires BCAST mode to be enabled")
	case old != nil && old.bcast != t.bcast:
		return refuse("You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.")
	case t.bcast && (t.optin || t.optout):
		return refuse("OPTIN and OPTOUT are not compatible with BCAST")
	case t.optin && t.optout:
		return refuse("You can't specify both OPTIN mode and OPTOUT mode")
	case old != nil && (t.optin && old.optout || t.optout && old.optin):
		return refuse("You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.")
	}
	if !t.bcast {
		return true
	}
	for i, p := range prefixes {
		if old != nil {
			for _, q := range old.prefixes {
				if overlap(p, q) {
					return refuse("Prefix '" + p + "' overlaps with an existing prefix '" + q + "'. Prefixes for a single client must not overlap.")
				}
			}
		}
		for _, q := range prefixes[i+1:] {
			if overlap(p, q) {
				return refuse("Prefix '" + p + "' overlaps with another provided prefix '" + q + "'. Prefixes for a single client must not overlap.")
			}
		}
	}
	return true
}

func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

func (c *Client) enableTracking(t trackState, prefixes []string) {
	tr := &c.srv.tracking
	if c.track == nil {
		tr.clients++
		c.track = &trackState{}
	}
	t.prefixes, t.caching = c.track.prefixes, c.track.caching
	*c.track = t
	if !t.bcast {
		return
	}
	if len(prefixes) == 0 && !slices.Contains(c.track.prefixes, "") {
		prefixes = []string{""}
	}
	for _, p := range prefixes {
		ps := tr.prefixes[p]
		if ps == nil {
			ps = &prefixState{keys: make(map[string]*Client)}
			tr.prefixes[p] = ps
		}
		ps.clients = append(ps.clients, c)
		c.track.prefixes = append(c.track.prefixes, p)
	}
	sort.Strings(c.track.prefixes)
}

// disableTracking ends a client's tracking; entries of the table that name it
// are dropped when their key changes.
func (s *Server) disableTracking(c *Client) {
	if c.track == nil {
		return
	}
	for _, p := range c.track.prefixes {
		ps := s.tracking.prefixes[p]
		for i, x := range ps.clients {
			if x == c {
				ps.clients = append(ps.clients[:i], ps.clients[i+1:]...)
				break
			}
		}
		if len(ps.clients) == 0 {
			delete(s.tracking.prefixes, p)
		}
	}
	c.track = nil
	s.tracking.clients--
	if s.tracking.clients == 0 {
		clear(s.tracking.table)
		s.tracking.items = 0
	}
}

func clientCachingCommand(c *Client) {
	if c.track == nil {
		c.addReplyError("CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
		return
	}
	switch {
	case equalFold(c.args[2], "yes"):
		if !c.track.optin {
			c.addReplyError("CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
			return
		}
	case equalFold(c.args[2], "no"):
		if !c.track.optout {
			c.addReplyError("CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
			return
		}
	default:
		c.addReplyErrorSyntax()
		return
	}
	c.track.caching = true
	c.addReplyOK()
}

func clientTrackinginfoCommand(c *Client) {
	c.addReplyMapLen(3)
	c.addReplyBulkString("flags")
	t := c.track
	var flags []string
	if t == nil {
		flags = append(flags, "off")
	} else {
		flags = append(flags, "on")
		for _, f := range []struct {
			on   bool
			name string
		}{
			{t.bcast, "bcast"}, {t.optin, "optin"}, {t.optin && t.caching, "caching-yes"},
			{t.optout, "optout"}, {t.optout && t.caching, "caching-no"}, {t.noloop, "noloop"}, {t.broken, "broken_redirect"},
		} {
			if f.on {
				flags = append(flags, f.name)
			}
		}
	}
	c.addReplySetLen(len(flags))
	for _, f := range flags {
		c.addReplyBulkString(f)
	}
	c.addReplyBulkString("redirect")
	c.addReplyLongLong(c.trackingRedirect())
	c.addReplyBulkString("prefixes")
	if t == nil {
		c.addReplyArrayLen(0)
		return
	}
	c.addReplyArrayLen(len(t.prefixes))
	for _, p := range t.prefixes {
		c.addReplyBulkString(p)
	}
}

// trackingRedirect is what CLIENT GETREDIR answers: -1 not tracking, 0 itself.
func (c *Client) trackingRedirect() int64 {
	if c.track == nil {
		return -1
	}
	return int64(c.track.redirect)
}

func clientGetredirCommand(c *Client) { c.addReplyLongLong(c.trackingRedirect()) }

// talking is the client whose command is in execution: of a script, its caller.
func (s *Server) talking() *Client {
	if c := s.current; c == nil || c.flags&flagScript == 0 {
		return c
	}
	return s.script.caller
}

// trackRead remembers the keys that a command has just read for a tracking client; by is the one that executed it. What a script read
// counts, and so do, as in Redis 7.0, all keys that the script was given.
func (s *Server) trackRead(by *Client, cmd *Command) {
	c := by
	if by.flags&flagScript != 0 {
		c = s.script.caller
	}
	t := c.track
	if t == nil || t.bcast || (t.optin && !t.caching) || (t.optout && t.caching) {
		return
	}
	s.trackKeys(c, cmd, by.args)
	if c != by && c.cmd != nil {
		s.trackKeys(c, c.cmd, c.args)
	}
}

// trackKeys remembers the keys of a command for a client.
func (s *Server) trackKeys(c *Client, cmd *Command, args [][]byte) {
	keys, err := cmd.Keys(args, s.keyRefs[:0])
	if err != nil {
		return
	}
	s.keyRefs = keys
	for _, k := range keys {
		key := args[k.Pos]
		ids := s.tracking.table[string(key)]
		if !slices.Contains(ids, c.id) {
			s.tracking.table[string(key)] = append(ids, c.id)
			s.tracking.items++
			s.boundTracking()
		}
	}
}

// trackWrite tells those who may have cached a key that it changed.
func (s *Server) trackWrite(key []byte) {
	for p, ps := range s.tracking.prefixes {
		if strings.HasPrefix(string(key), p) {
			k := string(key)
			if len(ps.order) == 0 {
				s.tracking.changed = append(s.tracking.changed, p)
			}
			if _, ok := ps.keys[k]; !ok {
				ps.order = append(ps.order, k)
			}
			ps.keys[k] = s.current
		}
	}
	ids, ok := s.tracking.table[string(key)]
	if !ok {
		return
	}
	delete(s.tracking.table, string(key))
	s.tracking.items -= len(ids)
	for _, id := range ids {
		c := s.byID[id]
		if c == nil || c.track == nil || c.track.bcast {
			continue
		}
		if c.track.noloop && c == s.talking() {
			continue
		}
		s.invalidate(c, []string{string(key)})
	}
}

// trackingAfterCommand tells the client in execution what it could not be told in the middle of its reply.
func (s *Server) trackingAfterCommand(c *Client) {
	if len(s.tracking.pending) > 0 {
		c.push(s.tracking.pending)
		s.tracking.pending = s.tracking.pending[:0]
	}
}

// flushBroadcast tells the clients in broadcast mode what changed, in the order of the prefixes and of the keys.
func (s *Server) flushBroadcast() {
	if len(s.tracking.changed) == 0 {
		return
	}
	changed := s.tracking.changed
	s.tracking.changed = nil
	slices.Sort(changed)
	for _, p := range changed {
		ps := s.tracking.prefixes[p]
		if ps == nil {
			continue // its clients are gone
		}
		slices.Sort(ps.order)
		for _, c := range ps.clients {
			keys := ps.order
			if c.track.noloop {
				keys = nil
				for _, k := range ps.order {
					if ps.keys[k] != c {
						keys = append(keys, k)
					}
				}
			}
			if len(keys) > 0 {
				s.invalidate(c, keys)
			}
		}
		ps.order = nil
		clear(ps.keys)
	}
}

// trackFlush tells every tracking client that all it may have cached is void.
func (s *Server) trackFlush() {
	if s.tracking.clients == 0 {
		return
	}
	for c := s.clients.head; c != nil; c = c.next {
		if c.track != nil {
			s.invalidate(c, nil)
		}
	}
	clear(s.tracking.table)
	s.tracking.items = 0
}

// boundTracking keeps the table within its bound. When the bound was lowered by much, the rest goes with the next reads.
func (s *Server) boundTracking() {
	const most = 100 // keys forgotten in one go
	limit := int64(s.V.TrackingTableMaxKeys)
	if limit == 0 || int64(len(s.tracking.table)) <= limit {
		return
	}
	n := 0
	for key, ids := range s.tracking.table {
		if n++; n > most || int64(len(s.tracking.table)) <= limit {
			return
		}
		delete(s.tracking.table, key)
		s.tracking.items -= len(ids)
		for _, id := range ids {
			if c := s.byID[id]; c != nil && c.track != nil {
				s.invalidate(c, []string{key})
			}
		}
	}
}

// invalidate sends an invalidation of keys (nil: of everything) to a client, or
// to the one it redirects to. RESP3 clients get a push; a RESP2 client can only
// be told as a subscriber of __redis__:invalidate.
func (s *Server) invalidate(c *Client, keys []string) {
	to := c
	if c.track.redirect != 0 {
		to = s.byID[c.track.redirect]
		if to == nil {
			c.track.broken = true
			if c.proto == 3 {
				var b []byte
				b = resp.AppendPush(b, 3, 2)
				b = resp.AppendBulkString(b, "tracking-redir-broken")
				b = resp.AppendInt(b, int64(c.track.redirect))
				s.tell(c, b)
			}
			return
		}
	}
	var b []byte
	switch {
	case to.proto == 3:
		b = resp.AppendPush(b, 3, 2)
		b = resp.AppendBulkString(b, "invalidate")
	case to != c && to.flags&flagPubSub != 0:
		b = resp.AppendArray(b, 3)
		b = resp.AppendBulkString(b, "message")
		b = resp.AppendBulkString(b, "__redis__:invalidate")
	default:
		return
	}
	if keys == nil {
		b = resp.AppendNull(b, to.proto)
	} else {
		b = resp.AppendArray(b, len(keys))
		for _, k := range keys {
			b = resp.AppendBulkString(b, k)
		}
	}
	s.tell(to, b)
}

// tell sends a client an invalidation, if it is the one in execution when it has its reply.
func (s *Server) tell(c *Client, b []byte) {
	if c == s.talking() {
		s.tracking.pending = append(s.tracking.pending, b...)
		return
	}
	c.push(b)
}
