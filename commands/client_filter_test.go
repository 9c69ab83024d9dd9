package commands

import (
	"fmt"
	"strings"
	"testing"
)

func TestClientFilters(t *testing.T) {
	s, h := newTestServer(t)
	old := newTestClient(s)
	do(old, "CLIENT", "SETNAME", "old")
	do(old, "CLIENT", "SETINFO", "LIB-NAME", "lib")
	do(old, "CLIENT", "SETINFO", "LIB-VER", "1.0")
	do(old, "SELECT", "3")
	h.milli += 100_000
	sub, caps, me := newTestClient(s), newTestClient(s), newTestClient(s)
	do(sub, "SUBSCRIBE", "ch")
	do(caps, "CLIENT", "CAPA", "redirect")
	do(me, "PING")
	all := map[string]*Client{"old": old, "sub": sub, "caps": caps, "me": me}
	for _, c := range []struct{ filter, want string }{
		{"NAME old", "old"}, {"LIB-NAME lib", "old"}, {"LIB-VER 1.0", "old"}, {"DB 3", "old"}, {"DB 0", "sub caps me"},
		{"MAXAGE 50", "old"}, {"IDLE 50", "old"}, {"TYPE pubsub", "sub"}, {"FLAGS P", "sub"}, {"CAPA r", "caps"}, {"USER default", "old sub caps me"},
		{"IP 127.0.0.1 SKIPME YES", "old sub caps"}, {"ADDR 127.0.0.1:1234 DB 3", "old"}, {"LADDR 127.0.0.1:1", ""},
		{fmt.Sprintf("ID %d %d DB 3", sub.id, old.id), "old"}, {fmt.Sprintf("ID %d", me.id), "me"},
	} {
		got := do(me, append([]string{"CLIENT", "LIST"}, strings.Fields(c.filter)...)...)
		for name, x := range all {
			want := strings.Contains(" "+c.want+" ", " "+name+" ")
			if strings.Contains(got, fmt.Sprintf("id=%d ", x.id)) != want {
				t.Errorf("CLIENT LIST %s shows %s: %v", c.filter, name, !want)
			}
		}
	}
	for _, bad := range []string{"MAXAGE 0", "IDLE x", "DB 99", "FOO bar", "CAPA x", "USER nobody", "SKIPME maybe", "ID 1 x"} {
		if got := do(me, append([]string{"CLIENT", "LIST"}, strings.Fields(bad)...)...); got[0] != '-' {
			t.Errorf("CLIENT LIST %s: %q", bad, got)
		}
	}
	if got := do(me, "CLIENT", "KILL", "MAXAGE", "50", "TYPE", "normal"); got != ":1\r\n" || !old.conn.(*fakeConn).closed {
		t.Errorf("CLIENT KILL MAXAGE: %q", got)
	}
	if got := do(me, "CLIENT", "KILL", "ID", fmt.Sprint(sub.id), fmt.Sprint(caps.id)); got != ":2\r\n" || !sub.conn.(*fakeConn).closed || !caps.conn.(*fakeConn).closed {
		t.Errorf("CLIENT KILL ID: %q", got)
	}
}
