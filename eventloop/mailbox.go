package eventloop

import (
	"bytes"
	"runtime"
	"sync"
)

// mailbox takes functions from any goroutine. The first one into an
// empty mailbox wakes the loop; those that come before the loop has looked ride along.
type mailbox struct {
	mu       sync.Mutex
	posts    []func()
	armed    bool // a wake is under way
	stopping bool
	closed   bool // the loop takes nothing any more
}

const (
	mailBatch  = 64         // functions between two flushes and looks at the clock
	mailBudget = 500 * 1000 // ns of posted functions in one turn
	mailKeep   = 4096       // largest queue (in functions) kept for reuse
	goidPrefix = len("goroutine ")
)

// Post has fn run on the loop. Functions run in the order of the calls of one goroutine, and
// in that of the calls themselves where they are ordered otherwise. Any goroutine may
// call it, the loop's own too. It never waits for the loop. Before Run the function
// is kept; after the stop it is dropped and Post returns false.
func (l *Loop) Post(fn func()) bool {
	m := &l.mail
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.posts = append(m.posts, fn)
	if !m.armed {
		m.armed = true
		l.wake()
	}
	m.mu.Unlock()
	return true
}

// Again has fn run in a later turn, after the input that is ready by now was
// served: the way to cut long work into slices. Loop goroutine only. Functions run in
// the order of the calls; one that calls Again from within waits for another turn.
func (l *Loop) Again(fn func()) {
	l.again = append(l.again, fn)
	if len(l.again) == 1 {
		l.arm()
	}
}

// Stop ends the loop: the functions posted so far run (if Run was called), listeners are closed,
// output is sent as far as peers take it within Config.StopTimeout, connections
// are closed (Handler.Closed tells), and Run returns. Any goroutine may call it, any
// number of times, before Run too. It does not wait.
func (l *Loop) Stop() {
	m := &l.mail
	m.mu.Lock()
	first := !m.stopping
	m.stopping = true
	if first && !m.closed {
		m.armed = true
		l.wake()
	}
	m.mu.Unlock()
	if first {
		l.startOnce.Do(func() { close(l.start) })
	}
}

// arm makes sure that the mailbox is looked at in the next turn.
func (l *Loop) arm() {
	m := &l.mail
	m.mu.Lock()
	if !m.armed && !m.closed {
		m.armed = true
		l.wake()
	}
	m.mu.Unlock()
}

// onMail runs what Again and Post left. It returns true when the loop is to end.
func (l *Loop) onMail() (stop bool) {
	m := &l.mail
	m.mu.Lock()
	m.armed = false
	if l.inboxHead == len(l.inbox) {
		if cap(l.inbox) > mailKeep {
			l.inbox = nil
		}
		l.inbox, m.posts = m.posts, l.inbox[:0]
		l.inboxHead = 0
	}
	stop = m.stopping
	m.mu.Unlock()
	l.stats.wakes++

	if len(l.again) > 0 {
		fns := l.again
		l.again = l.againOld[:0]
		for i, fn := range fns {
			fns[i] = nil
			l.enter()
			fn()
			l.leave()
		}
		l.againOld = fns
	}
	if stop {
		l.runAllMail()
		return true
	}
	l.runMail(mailBudget)
	m.mu.Lock()
	// Posts may be left behind by a turn that had the rest of its inbox to run first.
	if !m.armed && (l.inboxHead < len(l.inbox) || len(m.posts) > 0 || len(l.again) > 0) {
		m.armed = true
		l.wake()
	}
	m.mu.Unlock()
	return false
}

// runMail runs posted functions for about budget ns.
func (l *Loop) runMail(budget int64) {
	for spent := int64(0); l.inboxHead < len(l.inbox) && spent < budget; {
		l.enter()
		for n := 0; n < mailBatch && l.inboxHead < len(l.inbox); n++ {
			fn := l.inbox[l.inboxHead]
			l.inbox[l.inboxHead] = nil
			l.inboxHead++
			fn()
		}
		l.leave()
		spent += l.stats.last
	}
}

// runAllMail empties the mailbox and shuts it. What Again holds is run
// too, once: work in slices must not outlive its loop.
func (l *Loop) runAllMail() {
	for {
		l.runMail(1 << 62)
		m := &l.mail
		m.mu.Lock()
		l.inbox, m.posts, l.inboxHead = m.posts, nil, 0
		if len(l.inbox) == 0 {
			m.closed = true
			m.mu.Unlock()
			return
		}
		m.mu.Unlock()
	}
}

// OnLoop tells whether the caller runs on the loop goroutine. It costs about
// a microsecond: for assertions, not for hot paths.
func (l *Loop) OnLoop() bool { return l.goid.Load() == goid() }

// GoroutineID is the number that the runtime shows for the calling goroutine. It costs about a microsecond, and is for the detection of
// mistakes only.
func GoroutineID() uint64 { return goid() }

// goid reads the number of the calling goroutine off its stack trace, the only
// place where the runtime shows it.
func goid() uint64 {
	var buf [64]byte
	b := buf[:runtime.Stack(buf[:], false)]
	var n uint64
	for _, d := range bytes.TrimLeft(b[goidPrefix:], " ") {
		if d < '0' || d > '9' {
			break
		}
		n = n*10 + uint64(d-'0')
	}
	return n
}
