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
// A script of the master, or one inside EXEC, does not step aside: its command must be complete before the next one.

// scriptSlice is how long an overdue script runs before it steps aside again, nanoseconds.
const scriptSlice = 10e6

// coroutine is the second stack.
type coroutine struct {
	resume func() (done, ok bool)
	yield  func(done bool) bool
	job    func()
}

// run executes a job on the second stack and returns true once it is done, false if it stepped aside.
func (co *coroutine) run(job func()) bool {
	if co.resume == nil {
		co.resume, _ = iter.Pull(func(yield func(bool) bool) {
			co.yield = yield
			for {
				co.job()
				if !yield(true) {
					return
				}
			}
		})
	}
	co.job = job
	done, _ := co.resume()
	return done
}

// goOn continues a job that stepped aside.
func (co *coroutine) goOn() bool {
	done, _ := co.resume()
	return done
}

// Busy tells whether an overdue script stands aside: no command of the master's stream may be applied until it has ended.
func (s *Server) Busy() bool { return s.script != nil && s.script.aside }

const (
	errBusyScript   = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
	errBusyFunction = "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
)

// busyGate refuses a command while an overdue script stands aside.
func (s *Server) busyGate(c *Client) bool {
	t := s.script
	if c.cmd.Flags&CmdAllowBusy != 0 {
		return true
	}
	if t.function != nil {
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
	t.mayYield = c.conn != nil && c.flags&(flagMaster|flagExecuting|flagDenyBlocking) == 0
	t.overdue = false
	t.sliceEnd = t.startedAt + s.V.BusyReplyThreshold*1e6
	if !t.mayYield {
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
	t.aside = true
	t.funcArgs = copyArgs(c.args)
	t.now = s.now
	c.block(&blockedState{onTimeout: func(*Client) {}})
	s.Host.After(0, t.slice)
}

// slice gives a script that stands aside some time.
func (t *scriptState) slice() {
	s := t.s
	c := t.caller
	now, current := s.now, s.current
	s.now, s.current = t.now, c
	t.aside = false
	done := t.co.goOn()
	t.aside = !done
	s.now, s.current = now, current
	if !done {
		s.Host.After(0, t.slice)
		return
	}
	s.propagatePending()
	if c.flags&flagClosed != 0 {
		t.caller, t.running = nil, nil
		return
	}
	c.unblock(func() { t.finish(c) })
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
