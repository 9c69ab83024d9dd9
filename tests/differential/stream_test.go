package differential

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// Streams draw IDs from few, so that entries are met again. Most new ones are 8-*, which goes on for ever; the others get
// their turn in the beginning.

var xids = []string{"0", "0-0", "0-1", "-", "+", "$", ">", "", "abc", "1-", "-1", "1-x", "1-*", "18446744073709551615", "18446744073709551615-18446744073709551615", "18446744073709551616", "007-01", "1-1-1", "(5", "9223372036854775808-1"}

func init() {
	id := func(r *rand.Rand) string {
		ms := strconv.Itoa(1 + r.IntN(8))
		switch r.IntN(16) {
		case 0:
			return pick(r, xids)
		case 1, 2:
			return ms
		case 3, 4, 5, 6:
			return ms + "-" + strconv.Itoa(r.IntN(3))
		}
		return "8-" + strconv.Itoa(r.IntN(12))
	}
	addKind("xkey", func(r *rand.Rand) string {
		if r.IntN(20) == 0 {
			return pick(r, keyPool)
		}
		return "x" + strconv.Itoa(r.IntN(2))
	})
	addKind("xid", id)
	addKind("xnext", func(r *rand.Rand) string {
		if r.IntN(3) > 0 {
			return "8-*"
		}
		return strconv.Itoa(1+r.IntN(8)) + pick(r, []string{"-*", "-1", "-2", ""})
	})
	addKind("xbound", func(r *rand.Rand) string {
		switch r.IntN(4) {
		case 0:
			return "-"
		case 1:
			return "+"
		case 2:
			return "(" + id(r)
		}
		return id(r)
	})
	addKind("xname", func(r *rand.Rand) string { return pick(r, []string{"a", "a", "a", "b", "12", ""}) })
	addKind("xlen", func(r *rand.Rand) string { return pick(r, []string{"0", "1", "3", "5", "10", "20"}) })
	addKind("xgroup", func(r *rand.Rand) string { return "g" + strconv.Itoa(r.IntN(2)) })
	addKind("xconsumer", func(r *rand.Rand) string { return pick(r, []string{"alice", "bob", "carol"}) })
	addKind("xidle", func(r *rand.Rand) string { return pick(r, []string{"0", "0", "10000000000", "-1"}) })
	addKind("xtime", func(r *rand.Rand) string { return pick(r, []string{"0", "1", "1000", "-1", "99999999999999"}) })
}

// racyStream finds stream commands that depend on the clock: an ID made from it, an idle time near that of what was read just now.
func racyStream(cmd []string) bool {
	for i, a := range cmd[1:] {
		switch {
		case a == "*" && strings.EqualFold(cmd[0], "XADD"):
			return true
		case strings.EqualFold(a, "BLOCK"):
			return true
		case i == 3 && (strings.EqualFold(cmd[0], "XCLAIM") || strings.EqualFold(cmd[0], "XAUTOCLAIM")), i > 0 && strings.EqualFold(cmd[i], "IDLE"):
			if n, err := strconv.ParseInt(a, 10, 64); err == nil && n > 0 && n < 1e9 {
				return true
			}
		}
	}
	return false
}

// clockless is exact, except that integers at a place that idle finds, and those of twelve digits and more (unix times in
// milliseconds) are not compared.
func clockless(idle func(parent *testutil.Value, i int) bool) comparator {
	var hide func(v testutil.Value) testutil.Value
	hide = func(v testutil.Value) testutil.Value {
		elems := make([]testutil.Value, len(v.Elems))
		for i, e := range v.Elems {
			e = hide(e)
			if e.Kind == ':' && (len(e.Text) > 11 || idle(&v, i)) {
				e.Int, e.Text = 0, "0"
			}
			elems[i] = e
		}
		v.Elems = elems
		return v
	}
	return func(cmd []string, r, o testutil.Value) error { return exact(cmd, hide(r), hide(o)) }
}

// Four elements are an entry of XPENDING's long form, whose third is the time since the delivery; elsewhere that time has a name.
var (
	pendingIdle = clockless(func(p *testutil.Value, i int) bool { return len(p.Elems) == 4 && i == 2 })
	namedIdle   = clockless(func(p *testutil.Value, i int) bool { return i > 0 && p.Elems[i-1].Text == "idle" })
)

// clockID: an ID that the server made from its clock.
func clockID(cmd []string, r, o testutil.Value) error {
	for _, a := range cmd[2:] {
		if a == "*" {
			return sameKind(cmd, r, o)
		}
	}
	return exact(cmd, r, o)
}
