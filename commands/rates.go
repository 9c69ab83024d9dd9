package commands

// What INFO says of the recent past: rates per second, and the largest buffers.

// counters are what is sampled: commands, input, output, input and output of replication (bytes), turns of the loop and their
// duration (ns).
type counters [7]int64

// opsSampler keeps rates over the last samples, ten a second, as INFO's instantaneous_* fields report them.
type opsSampler struct {
	samples   [16]counters // per second
	idx       int
	lastNanos int64
	last      counters
}

func (o *opsSampler) sample(nanos int64, now counters) {
	if dt := nanos - o.lastNanos; o.lastNanos != 0 && dt > 0 {
		r := &o.samples[o.idx]
		for i, n := range now {
			r[i] = int64(float64(n-o.last[i]) * 1e9 / float64(dt))
		}
		o.idx = (o.idx + 1) % len(o.samples)
	}
	o.lastNanos, o.last = nanos, now
}

func (o *opsSampler) rate(i int) int64 {
	sum := int64(0)
	for _, s := range o.samples {
		sum += s[i]
	}
	return sum / int64(len(o.samples))
}

// perTurn is the mean duration of a turn, microseconds.
func (o *opsSampler) perTurn() int64 {
	if turns := o.rate(5); turns > 0 {
		return o.rate(6) / turns / 1000
	}
	return 0
}

// sampleRates is called ten times a second.
func (s *Server) sampleRates() {
	lo := s.Host.Loop()
	s.ops.sample(s.monoNow, counters{
		s.Stats.Commands, s.Stats.netInput, lo.NetOutput, s.Host.Replication().ReadOffset, s.Stats.replOutput, lo.Turns, lo.BusyNanos,
	})
}

// recentBuffers are the largest buffers that clients had in the last seconds, by second.
type recentBuffers struct {
	in, out [8]int
	at      int
}

func (r *recentBuffers) noteIn(n int) {
	if n > r.in[r.at] {
		r.in[r.at] = n
	}
}

func (r *recentBuffers) noteOut(n int) {
	if n > r.out[r.at] {
		r.out[r.at] = n
	}
}

// nextSecond forgets the oldest second.
func (r *recentBuffers) nextSecond() {
	r.at = (r.at + 1) % len(r.in)
	r.in[r.at], r.out[r.at] = 0, 0
}

func (r *recentBuffers) largest() (in, out int) {
	for i := range r.in {
		in, out = max(in, r.in[i]), max(out, r.out[i])
	}
	return in, out
}

// NoteOutput tells of unsent output of a client, bytes.
func (s *Server) NoteOutput(n int) { s.recent.noteOut(n) }
