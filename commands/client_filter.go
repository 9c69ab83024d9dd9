package commands

import (
	"math"
	"slices"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// What CLIENT LIST and CLIENT KILL select by. redis-server 7.0 has TYPE and ID for the one, and ID, TYPE, USER, ADDR, LADDR and
// SKIPME for the other; the rest are those of later versions, and all serve both commands.

// clientFilter selects connections; its zero value selects all.
type clientFilter struct {
	ids          []uint64
	typeName     string
	user         string
	addr, laddr  string
	ip           string
	name         string
	libName      string
	libVer       string
	flags        string // letters, all of which the client must have
	db           int
	byDB, byName bool
	byLib, byVer bool
	redirects    bool // announced the capability
	maxAge       int64
	idle         int64 // seconds, at least
	skipMe       bool
}

func (f *clientFilter) match(c, me *Client) bool {
	switch {
	case f.skipMe && c == me,
		len(f.ids) != 0 && !slices.Contains(f.ids, c.id),
		f.typeName != "" && c.typeName() != f.typeName,
		f.user != "" && (c.user == nil || c.user.Name != f.user),
		f.addr != "" && (c.conn == nil || c.conn.RemoteAddr() != f.addr),
		f.laddr != "" && (c.conn == nil || c.conn.LocalAddr() != f.laddr),
		f.ip != "" && (c.conn == nil || hostOf(c.conn.RemoteAddr()) != f.ip),
		f.byName && c.name != f.name,
		f.byLib && c.libName != f.libName,
		f.byVer && c.libVer != f.libVer,
		f.byDB && c.db.ID != f.db,
		f.redirects && c.flags&flagCapaRedirect == 0,
		f.maxAge > 0 && (c.now()-c.createdAt)/1000 < f.maxAge,
		f.idle > 0 && (c.now()-c.lastUsed)/1000 < f.idle:
		return false
	}
	if f.flags != "" {
		have := c.flagLetters()
		for _, letter := range f.flags {
			if !strings.ContainsRune(have, letter) {
				return false
			}
		}
	}
	return true
}

// hostOf is an address without its port.
func hostOf(addr string) string {
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		return addr[:i]
	}
	return addr
}

// clientFilterArgs reads the filters of CLIENT KILL or LIST, from argument 2 on. It answers errors itself.
func (c *Client) clientFilterArgs(f *clientFilter, kill bool) bool {
	badID, minID := "Invalid client ID", int64(math.MinInt64)
	if kill {
		badID, minID = "client-id should be greater than 0", 1
	}
	for i := 2; i < len(c.args); i += 2 {
		if i+1 >= len(c.args) {
			c.addReplyErrorSyntax()
			return false
		}
		opt, val := c.args[i], c.args[i+1]
		switch {
		case equalFold(opt, "id"):
			for {
				id, ok := numeric.ParseInt(c.args[i+1])
				if !ok || id < minID {
					c.addReplyError(badID)
					return false
				}
				f.ids = append(f.ids, uint64(id))
				if i+2 >= len(c.args) || isFilterName(c.args[i+2]) {
					break
				}
				if _, number := numeric.ParseInt(c.args[i+2]); !number && kill {
					break
				}
				i++
			}
		case equalFold(opt, "type"):
			var ok bool
			if f.typeName, ok = clientTypeByName(val); !ok {
				c.addReplyError("Unknown client type '" + cText(val) + "'")
				return false
			}
		case equalFold(opt, "addr"):
			f.addr = string(val)
		case equalFold(opt, "laddr"):
			f.laddr = string(val)
		case equalFold(opt, "ip"):
			f.ip = string(val)
		case equalFold(opt, "user"):
			if c.srv.acl.Get(string(val)) == nil {
				c.addReplyError("No such user '" + cText(val) + "'")
				return false
			}
			f.user = string(val)
		case equalFold(opt, "skipme"):
			switch {
			case equalFold(val, "yes"):
				f.skipMe = true
			case equalFold(val, "no"):
				f.skipMe = false
			default:
				c.addReplyErrorSyntax()
				return false
			}
		case equalFold(opt, "name"):
			f.name, f.byName = string(val), true
		case equalFold(opt, "lib-name"):
			f.libName, f.byLib = string(val), true
		case equalFold(opt, "lib-ver"):
			f.libVer, f.byVer = string(val), true
		case equalFold(opt, "flags"):
			f.flags = string(val)
		case equalFold(opt, "capa"):
			if string(val) != "r" {
				c.addReplyError("Unknown capability filter '" + cText(val) + "'")
				return false
			}
			f.redirects = true
		case equalFold(opt, "db"):
			n, ok := c.rangeArg(i+1, 0, int64(c.srv.KS.Databases()-1), "DB number should be between 0 and "+itoa(int64(c.srv.KS.Databases()-1)))
			if !ok {
				return false
			}
			f.db, f.byDB = int(n), true
		case equalFold(opt, "maxage"):
			var ok bool
			if f.maxAge, ok = c.rangeArg(i+1, 1, math.MaxInt64, "maxage should be greater than 0"); !ok {
				return false
			}
		case equalFold(opt, "idle"):
			var ok bool
			if f.idle, ok = c.rangeArg(i+1, 1, math.MaxInt64, "idle should be greater than 0"); !ok {
				return false
			}
		default:
			c.addReplyErrorSyntax()
			return false
		}
	}
	return true
}

var filterNames = []string{"id", "type", "addr", "laddr", "ip", "user", "skipme", "name", "lib-name", "lib-ver", "flags", "capa", "db", "maxage", "idle"}

func isFilterName(arg []byte) bool {
	return slices.ContainsFunc(filterNames, func(n string) bool { return equalFold(arg, n) })
}

func clientListCommand(c *Client) {
	var f clientFilter
	if !c.clientFilterArgs(&f, false) {
		return
	}
	s := c.srv
	var b strings.Builder
	line := func(t *Client) {
		if t != nil && f.match(t, c) {
			b.WriteString(s.describeClient(t))
			b.WriteByte('\n')
		}
	}
	if len(f.ids) != 0 { // in the order asked for
		for _, id := range f.ids {
			line(s.byID[id])
		}
	} else {
		for t := s.clients.head; t != nil; t = t.next {
			line(t)
		}
	}
	c.addReplyVerbatim("txt", b.String())
}

func clientKillCommand(c *Client) {
	f := clientFilter{skipMe: true}
	old := len(c.args) == 3
	if old {
		f.addr, f.skipMe = c.arg(2), false
	} else if !c.clientFilterArgs(&f, true) {
		return
	}
	killed := int64(0)
	for t := c.srv.clients.head; t != nil; {
		next := t.next
		if f.match(t, c) {
			if t == c {
				c.closeAsync()
			} else {
				t.conn.Close()
			}
			killed++
		}
		t = next
	}
	if f.typeName == "master" {
		c.srv.Host.DropLink()
	}
	switch {
	case !old:
		c.addReplyLongLong(killed)
	case killed == 0:
		c.addReplyError("No such client")
	default:
		c.addReplyOK()
	}
}
