package commands

import "testing"

// BenchmarkEvalsha measures what a script costs, by what it does.
func BenchmarkEvalsha(b *testing.B) {
	for _, bench := range []struct{ name, text string }{
		{"return", "return 1"},
		{"get", "return redis.call('get',KEYS[1])"},
		{"stores", "local t={} for i=1,100 do t[i]=i end return #t"},
		{"loop", "local x=0 for i=1,10000 do x=x+i*2 end return x"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s, h := newTestServer(b)
			c := newTestClient(s)
			do(c, "SET", "k", "v")
			sha := do(c, "SCRIPT", "LOAD", bench.text)[5:45]
			in := []byte("*4\r\n$7\r\nEVALSHA\r\n$40\r\n" + sha + "\r\n$1\r\n1\r\n$1\r\nk\r\n")
			out := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				h.milli++
				c.SetOutput(out)
				s.Process(c, in)
				c.SetOutput(nil)
			}
		})
	}
}
