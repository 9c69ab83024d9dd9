package commands

import "testing"

func BenchmarkEvalsha(b *testing.B) {
	s, h := newTestServer(b)
	c := newTestClient(s)
	do(c, "SET", "k", "v")
	sha := do(c, "SCRIPT", "LOAD", "return redis.call('get',KEYS[1])")[5:45]
	in := []byte("*4\r\n$7\r\nEVALSHA\r\n$40\r\n" + sha + "\r\n$1\r\n1\r\n$1\r\nk\r\n")
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		h.milli++
		c.SetOutput(out)
		s.Process(c, in)
		c.SetOutput(nil)
	}
}
