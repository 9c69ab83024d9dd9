package masterlink

import (
	"cmp"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// writer is the goroutine that writes to the master once the handshake is over. It ends
// with the connection.
type writer struct {
	s    *session
	mode chan func(now int64, dst []byte) []byte
	quit chan struct{}
	gone chan struct{}
	err  error // why it closed the connection; read after join
	pace replproto.Pacer
}

func startWriter(s *session) *writer {
	w := &writer{s: s, mode: make(chan func(int64, []byte) []byte, 2), quit: make(chan struct{}), gone: make(chan struct{})}
	go w.run()
	return w
}

// load, silence and stream change what is written. The link goroutine calls each at most
// once, in this order, so the channel never blocks.
func (w *writer) load() {
	w.mode <- func(now int64, dst []byte) []byte { w.pace.Load(now); return dst }
}

func (w *writer) silence() {
	w.mode <- func(_ int64, dst []byte) []byte { w.pace.Silence(); return dst }
}

func (w *writer) stream() {
	l := w.s.l
	w.mode <- func(now int64, dst []byte) []byte {
		off := l.applied.Load()
		l.acked.Store(off)
		return w.pace.Stream(now, off, dst)
	}
}

// join ends the writer of a closed connection.
func (w *writer) join() {
	close(w.quit)
	<-w.gone
}

func (w *writer) run() {
	defer close(w.gone)
	l := w.s.l
	clock := l.cfg.Clock
	beat := time.NewTimer(time.Hour)
	defer beat.Stop()
	var out []byte
	for {
		out = out[:0]
		select {
		case <-w.quit:
			return
		case change := <-w.mode:
			out = change(clock(), out)
		case off := <-l.ackNow:
			// The question may overtake the change of mode that was posted before it.
			select {
			case change := <-w.mode:
				out = change(clock(), out)
			default:
			}
			out = w.pace.Asked(off, out)
			if len(out) > 0 {
				l.acked.Store(off)
			}
		case <-beat.C:
			off := l.applied.Load()
			out = w.pace.Tick(clock(), off, out)
			if len(out) > 1 {
				l.acked.Store(off)
			}
		}
		if len(out) > 0 {
			if t := cmp.Or(w.s.cfg.WriteTimeout, w.s.cfg.StreamTimeout); t > 0 {
				_ = w.s.nc.SetWriteDeadline(time.Now().Add(t))
			}
			if _, err := w.s.nc.Write(out); err != nil {
				w.err = err
				w.s.close()
				<-w.quit
				return
			}
		}
		next := time.Hour
		if at := w.pace.Next(); at != 0 {
			next = max(time.Duration(at-clock()), 0)
		}
		beat.Reset(next)
	}
}
