package scripting

// Limits: of time, by counting instructions down to the next look at the host, and of memory, by charging large allocations before they are
// made and by looking at the size of the heap now and then.

import (
	"runtime/metrics"

	lua "github.com/yuin/gopher-lua"
)

// tickInterval is the number of counted instructions between two looks at the host: about a millisecond of work.
const tickInterval = 20000

// tick looks at the host and at the heap, and ends a script that was told to end.
func (e *Engine) tick(l *lua.LState) {
	e.ticks = tickInterval
	if e.fatal == nil && e.running {
		e.fatal = e.host.Interrupt()
		if e.fatal == nil && e.deadline != 0 && e.host.Nanos() > e.deadline {
			e.fatal = textError("FUNCTION LOAD timeout")
		}
		if e.fatal == nil {
			e.fatal = e.measure()
		}
	}
	if e.fatal != nil {
		e.ticks = 1 // past every pcall: each instruction counted raises it again
		l.Error(e.fatalValue(l), 0)
	}
}

func (e *Engine) fatalValue(l *lua.LState) lua.LValue {
	t := l.NewTable()
	rawSetString(t, "err", lua.LString("ERR "+e.fatal.Error()))
	return t
}

// heapSample reads the size of the heap.
type heapSample [1]metrics.Sample

func (h *heapSample) read() uint64 {
	if h[0].Name == "" {
		h[0].Name = "/memory/classes/heap/objects:bytes"
	}
	metrics.Read(h[:])
	return h[0].Value.Uint64()
}

// measure compares the growth of the heap since the script began with the limit.
func (e *Engine) measure() error {
	now := e.samples.read()
	if e.heapBase == 0 || now < e.heapBase {
		e.heapBase = now // what others left was collected meanwhile
		return nil
	}
	if now > e.heapBase && int64(now-e.heapBase) > e.memLimit {
		collect()
		if now = e.samples.read(); now > e.heapBase && int64(now-e.heapBase) > e.memLimit {
			return errMemory
		}
	}
	return nil
}

const (
	errMemory   = textError("script exceeded its memory limit")
	errReadonly = "Attempt to modify a readonly table"
)

// chargeStep is how many bytes are allocated between two looks at the heap.
const chargeStep = 4 << 20

// charge accounts for n bytes that are about to be allocated.
func (e *Engine) charge(l *lua.LState, n int) {
	if int64(n) > e.memLimit {
		e.fatal = errMemory
		e.tick(l)
	}
	if e.charged += int64(n); e.charged >= chargeStep {
		e.charged = 0
		if e.heapBase == 0 {
			e.heapBase = e.samples.read()
		}
		if err := e.measure(); err != nil {
			e.fatal = err
			e.tick(l)
		}
	}
}
