package scripting

import (
	"runtime"
	"testing"
)

// TestStateSize measures what INFO says of an interpreter before its first script: 122 KB, as package commands has it.
func TestStateSize(t *testing.T) {
	const claimed = 122 << 10
	const n = 16
	var engines [n]*Engine
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range engines {
		engines[i] = New(nil, Options{})
	}
	size := (heap() - before) / n
	runtime.KeepAlive(engines)
	if size < claimed*7/10 || size > claimed*14/10 {
		t.Errorf("an interpreter takes %d bytes, INFO says %d", size, claimed)
	}
}
