package commands

import (
	"math"
	"testing"
)

func TestKeyPatterns(t *testing.T) {
	for _, tc := range []struct {
		in                     string
		self, none             bool
		prefix, postfix, field string
	}{
		{in: "#", self: true},
		{in: "#\x00x", self: true},
		{in: "#*", prefix: "#"},
		{in: "", none: true},
		{in: "nokey", none: true},
		{in: "x\x00*", none: true},
		{in: "w_*", prefix: "w_"},
		{in: "w_*_z*", prefix: "w_", postfix: "_z*"},
		{in: "h_*->f", prefix: "h_", field: "f"},
		{in: "h_*x->f->g", prefix: "h_", postfix: "x", field: "f->g"},
		{in: "h_*->", prefix: "h_", postfix: "->"},
		{in: "->*", prefix: "->"},
		{in: "h_*->\x00f", prefix: "h_", postfix: "->\x00f"},
		{in: "h_*->f\x00g", prefix: "h_", field: "f\x00g"},
	} {
		p := parseKeyPattern([]byte(tc.in))
		if p.self != tc.self || p.none != tc.none || string(p.prefix) != tc.prefix || string(p.postfix) != tc.postfix || string(p.field) != tc.field || (p.field != nil) != (tc.field != "") {
			t.Errorf("%q: %+v", tc.in, p)
		}
	}
}

func TestSortScores(t *testing.T) {
	inf := math.Inf(1)
	for in, want := range map[string]float64{
		"": 0, "\x00x": 0, "1": 1, " \t\n-2.5": -2.5, "0x10": 16, "1\x00x": 1, "inf": inf, "-INFINITY": -inf,
		"2.2250738585072014e-308": 0x1p-1022, "-0": 0,
	} {
		if got, ok := sortScore([]byte(in)); !ok || got != want {
			t.Errorf("%q: %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{" ", "x", "1 ", "nan", "1e400", "-1e400", "1e-330", "1e-310", "0x", "1e", "--1"} {
		if got, ok := sortScore([]byte(in)); ok {
			t.Errorf("%q is %v", in, got)
		}
	}
}

func TestSortLimits(t *testing.T) {
	for _, tc := range [][5]int64{ // from, count, elements: start, end
		{0, -1, 5, 0, 4}, {1, 2, 5, 1, 2}, {-3, 2, 5, 0, 1}, {3, 10, 5, 3, 4}, {5, 1, 5, 4, 3}, {0, 0, 5, 0, -1},
		{2, -9, 5, 2, 4}, {0, -1, 0, -1, -2}, {math.MaxInt64, math.MaxInt64, 5, 4, 3}, {2, math.MaxInt64, 5, 2, 4},
		{math.MinInt64, math.MinInt64, 5, 0, 4},
	} {
		q := sortQuery{from: tc[0], count: tc[1]}
		if q.limit(tc[2]); q.start != tc[3] || q.end != tc[4] {
			t.Errorf("LIMIT %d %d of %d: %d to %d, want %d to %d", tc[0], tc[1], tc[2], q.start, q.end, tc[3], tc[4])
		}
	}
}
