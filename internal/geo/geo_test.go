package geo

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestEncodeDecode(t *testing.T) {
	// The example of Redis's documentation.
	palermo, catania := Point{13.361389, 38.115556}, Point{15.087269, 37.502669}
	if h := Encode(palermo); h != 3479099956230698 {
		t.Errorf("Palermo is %d", h)
	}
	if h := Encode(catania); h != 3479447370796909 {
		t.Errorf("Catania is %d", h)
	}
	a, b := Decode(3479099956230698), Decode(3479447370796909)
	if d := Distance(a, b); math.Abs(d-166274.1516) > 0.0001 {
		t.Errorf("they are %v metres apart", d)
	}
	if s := string(AppendHash(nil, 3479099956230698)); s != "sqc8b49rny0" {
		t.Errorf("Palermo is %s", s)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		p := Point{rnd.Float64()*360 - 180, (rnd.Float64()*2 - 1) * LatMax}
		h := Encode(p)
		q := Decode(float64(h))
		if math.Abs(q.Lon-p.Lon) > 360.0/(1<<26) || math.Abs(q.Lat-p.Lat) > 171.0/(1<<26) || Encode(q) != h {
			t.Fatalf("%v is %d, which is %v", p, h, q)
		}
	}
	for _, f := range []float64{-1, -1e300, 1e300, math.Inf(1), math.Inf(-1), 1 << 63, 1 << 60, math.NaN()} {
		if p := Decode(f); !p.Valid() {
			t.Errorf("score %v decodes to %v", f, p)
		}
	}
}

// TestCoveringCovers: whatever a full search finds in a shape is in one of its
// ranges. Redis's grid of nine cells is an estimate that leaves something out
// near the poles and where a shape goes far round the Earth: not here.
func TestCoveringCovers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 400 {
		s := Shape{Center: Point{rnd.Float64()*300 - 150, rnd.Float64()*120 - 60}, Unit: 1}
		size := math.Exp(rnd.Float64() * math.Log(1e6))
		if s.Box = rnd.IntN(2) == 0; s.Box {
			s.Width, s.Height = size*(0.5+rnd.Float64()), size*(0.5+rnd.Float64())
		} else {
			s.Radius = size
		}
		ranges := s.Covering(nil)
		if len(ranges) == 0 || len(ranges) > 9 {
			t.Fatalf("%d ranges", len(ranges))
		}
		found := 0
		for range 300 {
			deg := size / 111000
			p := Point{s.Center.Lon + (rnd.Float64()*4-2)*deg, s.Center.Lat + (rnd.Float64()*2-1)*deg}
			if !p.Valid() {
				continue
			}
			score := float64(Encode(p))
			if _, ok := s.Contains(Decode(score), false); !ok {
				continue
			}
			found++
			covered := false
			for _, r := range ranges {
				covered = covered || score >= r.Min && score < r.Max
			}
			if !covered {
				t.Fatalf("%+v contains %v, which is in none of its ranges", s, p)
			}
		}
		if found == 0 && size > 1 {
			t.Errorf("nothing was in %+v", s)
		}
	}
}

// TestTrigonometry compares with values computed to 40 digits and rounded, and
// holds the identities to the last bit or two.
func TestTrigonometry(t *testing.T) {
	for _, c := range []struct{ x, sin, cos float64 }{
		{0, 0, 1},
		{0.5, 0.479425538604203, 0.8775825618903728},
		{1, 0.8414709848078965, 0.5403023058681398},
		{-1, -0.8414709848078965, 0.5403023058681398},
		{1.5707963267948966, 1, 6.123233995736766e-17},
		{3, 0.1411200080598672, -0.9899924966004454},
		{3.141592653589793, 1.2246467991473532e-16, -1},
		{-2, -0.9092974268256817, -0.4161468365471424},
		{1e-10, 1e-10, 1},
	} {
		if s := sin(c.x); s != c.sin {
			t.Errorf("sin %v is %.17g, expected %.17g", c.x, s, c.sin)
		}
		if s := cos(c.x); s != c.cos {
			t.Errorf("cos %v is %.17g, expected %.17g", c.x, s, c.cos)
		}
	}
	rnd := rand.New(rand.NewPCG(3, 3))
	for range 20000 {
		x := rnd.Float64()*6.28 - 3.14
		s, c := sincos(x)
		one := s.mul(s).add(c.mul(c)).add(dd{-1, 0})
		if math.Abs(one.hi) > 1e-30 {
			t.Fatalf("sin²+cos² of %v is off by %v", x, one.hi)
		}
		if math.Abs(sin(x)-math.Sin(x)) > 3e-16 || math.Abs(cos(x)-math.Cos(x)) > 3e-16 {
			t.Fatalf("sine or cosine of %v", x)
		}
		v := rnd.Float64()
		y := asin(v)
		s, c = sincos(y)
		// The error of y, by its sine, is at most half a unit in the last place.
		e := dd{v, 0}.add(s.neg())
		if math.Abs(e.hi/c.hi) > math.Nextafter(y, 2)-y {
			t.Fatalf("asin %v is %v", v, y)
		}
	}
	if asin(1) != math.Pi/2 || asin(0) != 0 {
		t.Error("asin at its ends")
	}
}
