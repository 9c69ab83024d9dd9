package numeric

import "testing"

func TestCeilMillis(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "-0": 0, "1": 1000, "0.1": 100, "1.001": 1001, "0.0001": 1, "1e-400": 1, "-1": -1000, "-0.0001": 0, "-0.0015": -1,
		"4.35": 4350, "2.2": 2200, "1e-4940": 1, "123456.789": 123456789, "123456.7891": 123456790,
		"9223372036854775": 9223372036854775000, "9223372036854.7": 9223372036854700, "0x10": 16000, "1e3": 1000000,
	} {
		ld, ok := ParseLongDouble([]byte(in))
		if !ok {
			t.Errorf("%s is not a number", in)
			continue
		}
		if ms, ok := ld.CeilMillis(); !ok || ms != want {
			t.Errorf("%s: %d %v, want %d", in, ms, ok, want)
		}
	}
	for _, in := range []string{"inf", "1e400", "9223372036854776", "-1e30", "9223372036854775807"} {
		ld, ok := ParseLongDouble([]byte(in))
		if ms, fine := ld.CeilMillis(); !ok || fine {
			t.Errorf("%s: %d", in, ms)
		}
	}
}
