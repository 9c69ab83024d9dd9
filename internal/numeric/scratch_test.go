package numeric

import (
	"bufio"
	"fmt"
	"math/rand"; "time"
	"os/exec"
	"testing"
	"strings"
	"strconv"
	"math"
)

func genNum(r *rand.Rand) string {
	digs := func(n int) string { b := make([]byte, n); for i := range b { b[i] = '0' + byte(r.Intn(10)) }; if r.Intn(3)==0 { for i := range b { if r.Intn(2)==0 {b[i]='0'} else {b[i]='9'} } }; return string(b) }
	s := ""
	switch r.Intn(4) { case 0: s = "-"; case 1: if r.Intn(5)==0 {s="+"} }
	switch r.Intn(12) {
	case 0: // hex
		s += "0x"
		h := func(n int) string { b := make([]byte, n); for i := range b { b[i] = "0123456789abcdefABCDEF"[r.Intn(22)] }; if r.Intn(3)==0 { for i := range b { if i > 0 {b[i]='0'} } ; if n > 0 && r.Intn(2)==0 {b[n-1]='8'} }; return string(b) }
		s += h(r.Intn(40))
		if r.Intn(2) == 0 { s += "." + h(r.Intn(40)) }
		if r.Intn(2) == 0 { e := r.Intn(200)-100; if r.Intn(3)==0 { e = r.Intn(34000)-17000 }; if r.Intn(3)==0 { e = r.Intn(2400)-1200 }; s += "p" + strconv.Itoa(e) }
	case 1:
		f := math.Float64frombits(r.Uint64())
		s = strconv.FormatFloat(f, "gef"[r.Intn(3)], r.Intn(25), 64)
		if len(s) > 5000 { s = "1" }
	case 2:
		f := math.Float64frombits(r.Uint64()&^(0x7ff<<52) | uint64(1023-70+r.Intn(140))<<52)
		s = strconv.FormatFloat(f, 'f', -1, 64)
	case 3: // exact halves at 17 decimals
		s += strconv.Itoa(r.Intn(1000)) + "." + digs(r.Intn(60))
	case 4:
		s += strconv.FormatUint(r.Uint64()>>uint(r.Intn(64)), 10) + "." + digs(r.Intn(10))
	case 5:
		s += digs(r.Intn(30)) + "." + digs(r.Intn(30)) + "e" + strconv.Itoa(r.Intn(9900)-4950)
	case 6:
		s += digs(r.Intn(30)) + "." + digs(r.Intn(30)) + "e" + strconv.Itoa(r.Intn(100)-50)
	case 7:
		s += digs(1+r.Intn(22))
	case 8:
		s += []string{"inf","INF","infinity","Infinity","infinit","nan","nan(1)","e5","1e","1e+","0x","0x.","0xp1",".","1.e3",".5e1","1_0","0x1_0p1","","-","+"," 1","1 ","0b1","0o7","1e0005","0e999999999999","1e-999999999999999999999","1e99999999999999999999999","0x1p","0x1p+","0X1P+3","1e5000","1e-4950","3.6e-4951","1.8e-4951","1.9e-4951","1.18973149535723176502e4932","1.18973149535723176505e4932","1.189731495357231765086e4932","2.4703282292062327e-324","2.4703282292062328e-324","1.7976931348623158e308","1.7976931348623159e308"}[r.Intn(44)]
	case 9:
		s += digs(1+r.Intn(5)) + "." + digs(1+r.Intn(5))
	case 10: // random tail of dyadic
		f := new(strings.Builder)
		k := r.Intn(60)
		n := r.Uint64() >> uint(r.Intn(64))
		x := float64(n>>11) / math.Pow(2, float64(k))
		fmt.Fprintf(f, "%.*f", 60, x)
		s += f.String()
	case 11:
		s += digs(r.Intn(1000)) + "." + digs(r.Intn(1000)) + "e" + strconv.Itoa(r.Intn(9900)-4950)
	}
	return s
}

var last string

func TestScratch(t *testing.T) {
	cmd := exec.Command("/tmp/rs/ref")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	cmd.Start()
	rd := bufio.NewReaderSize(out, 1<<20)
	r := rand.New(rand.NewSource(rand.Int63()))
	bad := 0; t0 := time.Now(); time.AfterFunc(50*time.Second, func() { panic(last) })
	stats := map[string]int{}
	for i := 0; i < 200000 && time.Since(t0) < 25*time.Second && bad < 20; i++ {
		a, b := genNum(r), genNum(r)
		if r.Intn(10) == 0 && len(a) > 3 && len(a) < 2000 { b = "-" + strings.TrimLeft(a, "-+"); if r.Intn(2)==0 { bb := []byte(b); bb[len(bb)-1] = '1'; b = string(bb) } }
		if strings.ContainsAny(a+b, "|\n") { continue }
		last = a + " // " + b; fmt.Fprintf(in, "D %s\n", a)
		want, _ := rd.ReadString('\n')
		want = strings.TrimSuffix(want, "\n")
		got := "refuse"
		if f, ok := ParseFloat([]byte(a)); ok { got = string(AppendDouble17g(nil, f)) }
		if got != want { bad++; t.Errorf("D %q: got %s want %s", a, got, want) }
		if want == "refuse" { stats["Drefuse"]++ } else { stats["D"]++ }
		fmt.Fprintf(in, "L %s|%s\n", a, b)
		want, _ = rd.ReadString('\n')
		want = strings.TrimSuffix(want, "\n")
		got = "refuse"
		x, ok1 := ParseLongDouble([]byte(a))
		y, ok2 := ParseLongDouble([]byte(b))
		if ok1 && ok2 {
			o, err := AppendIncr(nil, x, y)
			if err != nil { got = "inf" } else { got = string(o) }
		}
		if got != want { bad++; t.Errorf("L %q + %q:\n got %s\nwant %s", a, b, got, want) }
		switch want { case "refuse", "inf": stats["L"+want]++; default: stats["L"]++ }
	}
	t.Log(stats)
	in.Close(); cmd.Wait()
}
