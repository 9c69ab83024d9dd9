package digest

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// value feeds one of the values below to a state.
func value(s *State, name string) {
	b := func(x string) []byte { return []byte(x) }
	switch name {
	case "s": // SET s hello
		s.Type(TypeString)
		s.StringValue(b("hello"))
	case "l": // RPUSH l a b 3
		s.Type(TypeList)
		for _, e := range []string{"a", "b", "3"} {
			s.ListElement(b(e))
		}
	case "st": // SADD st x y
		s.Type(TypeSet)
		for _, e := range []string{"y", "x"} {
			s.SetMember(b(e))
		}
	case "z": // ZADD z 1.5 a -2 b 3.14 c
		s.Type(TypeZSet)
		s.ZSetMember(b("c"), 3.14)
		s.ZSetMember(b("a"), 1.5)
		s.ZSetMember(b("b"), -2)
	case "h": // HSET h f v g 12
		s.Type(TypeHash)
		s.HashField(b("g"), b("12"), false)
		s.HashField(b("f"), b("v"), false)
	case "x": // XADD x 5-1 a b c d
		s.Type(TypeStream)
		s.StreamEntry(5, 1)
		s.StreamField(b("a"), b("b"))
		s.StreamField(b("c"), b("d"))
	case "e": // SET e v EX 1000
		s.Type(TypeString)
		s.StringValue(b("v"))
		s.Expires()
	case "other": // in database 3: SET other db
		s.Type(TypeString)
		s.StringValue(b("db"))
	}
}

// The expected values were taken from redis-server 7.0.15 by DEBUG DIGEST-VALUE
// and DEBUG DIGEST; the tests of package rdb compare whole datasets too.
func TestValuesOfRedis(t *testing.T) {
	var all Dataset
	all.DB(0)
	for name, want := range map[string]string{
		"s":  "36b23a1456b2dce2c3ed252c456761301dba8060",
		"l":  "09eb1fc9381ee92790d59930ab462945f8cd948b",
		"st": "36846f8a92fb6b6b824c73bf468c5bbcf5075ede",
		"z":  "0f4b571ccc9ddff22a5ded96b929c2b206e90271",
		"h":  "8530acc75d5274eb0fc0da86f28ed5533274a6d4",
		"x":  "ed2617986b9c96a744619a8cbc07cc24277a6ea1",
		"e":  "311b17018163335616e089f6b951c82c477335ac",
	} {
		var s State
		value(&s, name)
		if s.String() != want {
			t.Errorf("%s: %s, want %s", name, s.String(), want)
		}
		k := Key([]byte(name))
		value(&k, name)
		all.Add(k)
	}
	all.DB(3)
	k := Key([]byte("other"))
	value(&k, "other")
	all.Add(k)
	if s := all.Sum(); s.String() != "2b1eff5d48d5eca29a86d0b40f22680e18ec7458" {
		t.Errorf("dataset: %s", s.String())
	}
}

func TestEmptyDatasetIsZero(t *testing.T) {
	var d Dataset
	s := d.Sum()
	if s.String() != strings.Repeat("0", 40) {
		t.Fatal(s.String())
	}
}

func TestOrder(t *testing.T) {
	feed := func(f func(*State, []byte), v ...string) State {
		var s State
		s.Type(TypeList)
		for _, x := range v {
			f(&s, []byte(x))
		}
		return s
	}
	if feed((*State).ListElement, "a", "b") == feed((*State).ListElement, "b", "a") {
		t.Error("the order of a list must matter")
	}
	if feed((*State).SetMember, "a", "b") != feed((*State).SetMember, "b", "a") {
		t.Error("the order of a set must not matter")
	}
	var x, y State
	x.HashField([]byte("f"), []byte("v"), false)
	y.HashField([]byte("f"), []byte("v"), true)
	if x == y {
		t.Error("a field's expiry must matter")
	}
}

func TestAppendScore(t *testing.T) {
	for _, c := range []struct {
		f    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {1, "1"}, {-1.5, "-1.5"}, {0.1, "0.10000000000000001"}, {3.14, "3.1400000000000001"},
		{100000, "100000"}, {1e16, "10000000000000000"}, {1e17, "1e+17"}, {123456789012345678, "1.2345678901234568e+17"},
		{0.0001, "0.0001"}, {0.00001, "1.0000000000000001e-05"}, {1e-100, "1e-100"}, {1e300, "1.0000000000000001e+300"},
		{math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {5e-324, "4.9406564584124654e-324"}, {math.MaxFloat64, "1.7976931348623157e+308"},
	} {
		if got := string(AppendScore(nil, c.f)); got != c.want {
			t.Errorf("%v: %s, want %s", c.f, got, c.want)
		}
	}
}

func TestAppendShortScore(t *testing.T) {
	for _, c := range []struct {
		f    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {1, "1"}, {-1.5, "-1.5"}, {0.1, "0.1"}, {3.14, "3.14"}, {100, "100"},
		{10000000, "10000000"}, {100000000, "1e+8"}, {120000000, "120000000"}, {1e21, "1e+21"}, {0.0001, "0.0001"}, {0.000001, "0.000001"}, {1e-7, "1e-7"},
		{1.25e-7, "1.25e-7"}, {123456.789, "123456.789"}, {1e-100, "1e-100"}, {-1e300, "-1e+300"},
		{math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {5e-324, "5e-324"}, {0.12345678901234568, "0.12345678901234568"},
		{1234.5678901234567, "1234.5678901234567"}, {12345678901234567890, "12345678901234567000"},
	} {
		if got := string(AppendShortScore(nil, c.f)); got != c.want {
			t.Errorf("%v: %s, want %s", c.f, got, c.want)
		}
	}
}

func TestShortScoresReadBack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	longer := 0
	for range 200000 {
		f := math.Float64frombits(rnd.Uint64())
		if rnd.IntN(2) == 0 {
			f = (rnd.Float64() - 0.5) * 1e6
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		var buf [40]byte
		s := AppendShortScore(buf[:0], f)
		got, err := strconv.ParseFloat(string(s), 64)
		if err != nil || got != f {
			t.Fatalf("%v became %s, %v", f, s, err)
		}
		digits, _ := grisu2(nil, math.Abs(f))
		if shortest := strconv.FormatFloat(math.Abs(f), 'e', -1, 64); len(digits) > strings.IndexByte(strings.Replace(shortest, ".", "", 1), 'e') {
			longer++
		}
	}
	// Grisu2 is known to miss the shortest form for about one number in a thousand.
	if longer == 0 || longer > 1000 {
		t.Errorf("%d of 200000 not shortest", longer)
	}
}

func TestAllocations(t *testing.T) {
	f, v := []byte("field"), []byte("value")
	if n := testing.AllocsPerRun(10, func() {
		s := Key(f)
		s.Type(TypeZSet)
		s.ZSetMember(v, 3.5)
		s.ZSetMemberShort(v, 3.25)
		s.HashField(f, v, true)
		s.StreamEntry(1, 2)
		s.StreamField(f, v)
		s.Expires()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
