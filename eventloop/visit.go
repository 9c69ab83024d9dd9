package eventloop

import (
	"sync"
	"sync/atomic"
)

// Visits
//
// A program that embeds the loop asks it for values from its own goroutines. Through the mailbox, each question costs two wake-ups
// of a thread: several microseconds, to look up what takes a tenth of one. A loop made with Config.Visits therefore lends itself
// while it waits for events:
//
//	loop:     callback ──► epoll_wait ················ callback ──►
//	visitor:                   ╰─ fn ─╯  ╰─ fn ─╯
//
// There is still one owner at any time. The loop comes first: it says that it wants in, and no visitor begins before it has been.
// What a visitor leaves to be done (output to flush, connections to close) the loop does, woken by the mailbox.

// visits is who owns the loop's state: the loop during its callbacks, a visitor during its function.
type visits struct {
	on    bool // Config.Visits; the rest is idle without
	open  bool // between the start and the end of the loop
	owner sync.Mutex
	want  atomic.Bool // the loop waits for a visitor to leave
}

// visitTries is how often a visitor looks whether a callback has ended before it gives up: for about a microsecond.
const visitTries = 40

// Visit runs fn on the goroutine of the caller with all that belongs to the loop goroutine, if the loop lends itself (Config.Visits) and
// waits for events. It returns false, without having run fn, if the loop is busy, has not begun or has ended: Post is for that. Any
// goroutine may call it, but neither the loop's own nor one that visits. The loop stands still until fn returns.
func (l *Loop) Visit(fn func()) bool {
	v := &l.visits
	if !v.on || v.want.Load() {
		return false
	}
	for tries := 0; !v.owner.TryLock(); tries++ {
		if tries == visitTries || v.want.Load() {
			return false
		}
	}
	defer v.owner.Unlock()
	if !v.open {
		return false
	}
	l.clock.read()
	fn()
	if len(l.dirty) > 0 || len(l.reap) > 0 {
		l.Post(leftByVisitor)
	}
	return true
}

// leftByVisitor does nothing: the callback that it makes flushes and closes.
func leftByVisitor() {}
