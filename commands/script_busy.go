package commands

import (
	"errors"
	"iter"
)

// Slow scripts.
//
// A script runs on the loop goroutine's time, in a coroutine: a second stack, of which the loop's goroutine runs either the one or the
// other, never both. When a script has run for longer than busy-reply-threshold it steps aside between two instructions, and the loop goes
// on to serve everybody else, who are told BUSY; SCRIPT KILL, FUNCTION KILL and SHUTDOWN NOSAVE get through. The script gets slices of time
// until it ends, and its client the reply then. Nothing else touches the dataset meanwhile: commands are refused, the master's stream and
// the expiry cycle wait (Busy).
//
//	loop    ──eval──┐           ┌─ BUSY … ─┐           ┌── reply ──►
//	script          └── runs ───┘ aside    └── slice ──┘
//
// A transaction that calls scripts runs on the second stack as a whole (host), so that it too can be put off in the middle of one. A script of the
// master steps aside like any other; who applies the stream asks Busy before the next command.

// scriptSlice is how long an overdue script runs before it steps aside again, nanoseconds.
const scriptSlice = 10e6

// coroutine is the second stack.
type coroutine struct {
	resume func() (done, ok bool)
	yield  func(done bool) bool
	job    func()

	panicked any
}

// run executes a job on the second stack and returns true once it is done, false if it stepped aside.
func (co *coroutine) run(job func()) bool {
	if co.resume == nil {
		co.resume, _ = iter.Pull(func(yield func(bool) bool) {
			co.yield = yield
			for {
				co.runJob()
				if !yield(true) {
					return
				}
			}
		})
	}
	co.job = job
	return co.goOn()
}

// goOn continues a job that stepped aside.
func (co *coroutine) goOn() bool {
	done, _ := co.resume()
	if r := co.panicked; r != nil {
		co.panicked = nil
		panic(r) // where the stack of the loop is
	}
	return done
}

// runJob runs the job; a panic is kept, so that the second stack outlives it.
func (co *coroutine) runJob() {
	defer func() { co.panicked = recover() }()
	co.job()
}

// Busy tells whether an overdue script stands aside: no command of the master's stream may be applied until it has ended.
func (s *Server) Busy() bool { return s.script != nil && s.script.aside }

const (
	errBusyScript   = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
	errBusyFunction = "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
)

// busyGate refuses a command while an overdue script stands aside.
func (s *Server) busyGate(c *Client) bool {
	return c.cmd.Flags&CmdAllowBusy != 0 || s.refuseBusy(c)
}

// refuseBusy answers what a command hears while an overdue script stands aside.
func (s *Server) refuseBusy(c *Client) bool {
	if s.script.function != nil {
		return s.refuse(c, errBusyFunction)
	}
	return s.refuse(c, errBusyScript)
}

// Interrupt implements scripting.Host: it runs inside the script, about once a millisecond.
func (t *scriptState) Interrupt() error {
	if t.panicked != nil {
		return errors.New(t.killText())
	}
	now := t.s.Host.Nanos()
	if t.mayYield && now > t.sliceEnd {
		if !t.overdue {
			t.overdue = true
			t.s.Host.Logf(LogWarning, "Slow script detected: still in execution after %d milliseconds. You can try killing the script using the %s command. Script name is: %s.",
				(now-t.startedAt)/1e6, t.killCommand(), t.running.SHA)
		}
		t.co.yield(false)
		t.sliceEnd = t.s.Host.Nanos() + scriptSlice
	}
	if t.killed {
		return errors.New(t.killText())
	}
	return nil
}

func (t *scriptState) killCommand() string {
	if t.function != nil {
		return "FUNCTION KILL"
	}
	return "SCRIPT KILL"
}

func (t *scriptState) killText() string {
	return "Script killed by user with SCRIPT KILL..."
}

// execute runs a script whose state begin has set, and answers its client: at once, or, if the script steps aside, when it has ended.
func (t *scriptState) execute(c *Client, run func()) {
	s := t.s
	limit := s.V.BusyReplyThreshold
	t.mayYield = limit > 0 && (t.hosting != nil || c.flags&flagExecuting == 0 && (c.isMaster() || c.conn != nil && c.flags&flagDenyBlocking == 0))
	t.overdue = false
	t.sliceEnd = t.startedAt + min(limit, maxThreshold)*1e6
	if !t.mayYield || t.hosting != nil {
		run()
		t.finish(c)
		c.preventPropagation() // its effects are in the stream
		return
	}
	if t.co.run(run) {
		t.finish(c)
		c.preventPropagation()
		return
	}
	c.preventPropagation()
	t.funcArgs = copyArgs(c.args)
	t.standAside(c)
}

// maxThreshold keeps the threshold in nanoseconds within an int64, milliseconds.
const maxThreshold = 1 << 40

// hosted is a client whose transaction runs on the second stack.
type hosted struct {
	c    *Client
	args [][]byte // what it was doing when it stepped aside
	cmd  *Command
}

// host runs a transaction on the second stack, so that a script in it can step aside.
func (t *scriptState) host(c *Client, job func()) {
	if t.hosting != nil || c.conn == nil && !c.isMaster() {
		job()
		return
	}
	args, cmd := c.args, c.cmd
	t.hosting = &hosted{c: c}
	if t.runHosted(job) {
		return
	}
	t.hosting.args, t.hosting.cmd = c.args, c.cmd
	c.args, c.cmd = args, cmd
	t.funcArgs = copyArgs(t.hosting.args)
	t.standAside(c)
}

// runHosted returns true when the transaction is complete.
func (t *scriptState) runHosted(job func()) (done bool) {
	done = true
	defer func() {
		if done {
			t.hosting = nil // by a panic too
		}
	}()
	done = t.co.run(job)
	return done
}

// standAside puts off what is left of a client's command.
func (t *scriptState) standAside(c *Client) {
	t.aside, t.waiting = true, c
	t.now = t.s.now
	if !c.isMaster() {
		c.block(&blockedState{onTimeout: func(*Client) {}})
	}
	t.s.Host.After(0, t.slice)
}

// slice gives what stands aside some time.
func (t *scriptState) slice() {
	s, c, h := t.s, t.waiting, t.hosting
	closed := c.flags&flagClosed != 0
	done := false
	step := func() {
		now, current := s.now, s.current
		s.now, s.current = t.now, c
		t.aside = false
		if h != nil {
			c.args, c.cmd = h.args, h.cmd
		}
		defer func() {
			t.aside = !done
			s.now, s.current = now, current
		}()
		done = t.co.goOn()
		if h != nil {
			h.args, h.cmd = c.args, c.cmd
		}
	}
	if h != nil && c.conn != nil && !closed {
		s.Host.Answer(c, func() { c.maybeQuiet(step) }) // its commands write their replies as they go
	} else {
		step()
	}
	if !done {
		s.Host.After(0, t.slice)
		return
	}
	t.hosting, t.waiting = nil, nil
	s.propagatePending()
	switch {
	case c.isMaster():
		if h == nil {
			t.finish(c)
		}
	case closed:
		t.caller, t.running = nil, nil
	case h != nil:
		c.unblock(func() {})
	default:
		c.unblock(func() { t.finish(c) })
	}
}

// finish answers the client with what the script left.
func (t *scriptState) finish(c *Client) {
	start := len(c.out)
	c.out = append(c.out, t.out...)
	if cap(t.out) > 1<<20 {
		t.out = nil
	}
	t.end(c, start, t.failed)
}
