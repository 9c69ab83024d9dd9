package rdb

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// dumped returns the one string that the DUMP payload of a packed value holds.
func dumped(t *testing.T, l *live, key string, skip int) (code byte, data []byte) {
	t.Helper()
	p := l.do("DUMP", key)
	d := Decoder{}
	d.buf, d.pos, d.end = []byte(p), 1+skip, len(p)-FooterSize
	data, err := d.value()
	if err != nil || d.pos != d.end {
		t.Fatalf("DUMP %s: % x: %v", key, p, err)
	}
	return p[0], data
}

func randomElement(rnd *rand.Rand) string {
	switch rnd.IntN(6) {
	case 0:
		return strconv.FormatInt(int64(rnd.Uint64())>>rnd.IntN(64), 10)
	case 1:
		return strconv.Itoa(rnd.IntN(20))
	case 2:
		return strings.Repeat("x", []int{0, 62, 63, 64, 65, 125, 126, 127, 128, 129, 4094, 4095, 4096, 4097}[rnd.IntN(14)])
	case 3:
		return "0" + strconv.Itoa(rnd.IntN(100))
	}
	b := make([]byte, rnd.IntN(30))
	for i := range b {
		b[i] = byte(rnd.IntN(256))
	}
	return string(b)
}

// The same operations on a hash or list of a real server and on a listpack give
// the same bytes.
func TestLiveListpackBytes(t *testing.T) {
	l := startRedis(t, shortDir(t), "--rdbcompression", "no", "--hash-max-listpack-value", "100000", "--hash-max-listpack-entries", "10000", "--list-max-listpack-size", "-5")
	rnd := rand.New(rand.NewPCG(3, 9))
	h, list := listpack.New(0), listpack.New(0)
	for step := range 1200 {
		f, v := randomElement(rnd), randomElement(rnd)
		if listpack.Size(h) > 30000 {
			l.do("DEL", "h")
			h = listpack.New(0)
		}
		if listpack.Size(list) > 30000 {
			l.do("DEL", "l")
			list = listpack.New(0)
		}
		// The hash: an existing field now and then.
		n := listpack.Len(h) / 2
		if n > 0 && rnd.IntN(2) == 0 {
			f = string(text(h, listpack.Seek(h, 2*rnd.IntN(n))))
		}
		p := listpack.Find(h, listpack.First(h), []byte(f), 1)
		if p >= 0 && rnd.IntN(3) == 0 {
			l.do("HDEL", "h", f)
			h, _ = listpack.DeleteN(h, p, 2)
		} else {
			l.do("HSET", "h", f, v)
			if p >= 0 {
				h = listpack.Replace(h, listpack.Next(h, p), []byte(v))
			} else {
				h = listpack.Append(listpack.Append(h, []byte(f)), []byte(v))
			}
		}
		if listpack.Len(h) > 0 {
			if code, data := dumped(t, l, "h", 0); code != rdbHashListpack || string(data) != string(h) {
				t.Fatalf("step %d: the hash, type %d: %d bytes, want %d", step, code, len(data), len(h))
			}
		}

		// The list.
		n = listpack.Len(list)
		i := 0
		if n > 0 {
			i = rnd.IntN(n)
		}
		switch op := rnd.IntN(6); {
		case op == 0 || n == 0:
			l.do("RPUSH", "l", v)
			list = listpack.Append(list, []byte(v))
		case op == 1:
			l.do("LPUSH", "l", v)
			list = listpack.Prepend(list, []byte(v))
		case op == 2:
			l.do("LSET", "l", strconv.Itoa(i), v)
			list = listpack.Replace(list, listpack.Seek(list, i), []byte(v))
		case op == 3:
			pivot := string(text(list, listpack.Seek(list, i)))
			l.do("LINSERT", "l", "BEFORE", pivot, v)
			list = listpack.Insert(list, listpack.Find(list, listpack.First(list), []byte(pivot), 0), []byte(v))
		case op == 4:
			pivot := string(text(list, listpack.Seek(list, i)))
			l.do("LINSERT", "l", "AFTER", pivot, v)
			list, _ = listpack.InsertAfter(list, listpack.Find(list, listpack.First(list), []byte(pivot), 0), []byte(v))
		case n > 1:
			l.do("LTRIM", "l", "1", "-1")
			list = listpack.DeleteRange(list, 0, 1)
		}
		if code, data := dumped(t, l, "l", 2); code != rdbListQuicklist2 || string(data) != string(list) {
			t.Fatalf("step %d: the list, type %d: %d bytes, want %d", step, code, len(data), len(list))
		}
	}
}

// And so do operations on a set of integers.
func TestLiveIntsetBytes(t *testing.T) {
	l := startRedis(t, shortDir(t), "--rdbcompression", "no", "--set-max-intset-entries", "10000")
	rnd := rand.New(rand.NewPCG(3, 9))
	s := intset.New(0)
	for step := range 1200 {
		if step%300 == 0 {
			l.do("DEL", "s")
			s = intset.New(0)
		}
		v := int64(rnd.IntN(100) - 50)
		if rnd.IntN(60) == 0 {
			v = int64(rnd.Uint64()) >> rnd.IntN(64)
		}
		if rnd.IntN(3) == 0 {
			l.do("SREM", "s", strconv.FormatInt(v, 10))
			s, _ = intset.Remove(s, v)
		} else {
			l.do("SADD", "s", strconv.FormatInt(v, 10))
			s, _ = intset.Add(s, v)
		}
		if intset.Len(s) == 0 {
			s = intset.New(0)
			continue
		}
		if code, data := dumped(t, l, "s", 0); code != rdbSetIntset || string(data) != string(s) {
			t.Fatalf("step %d: type %d: % x, want % x", step, code, data, s)
		}
	}
}
