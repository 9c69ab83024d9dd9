// Package sysinfo gathers what INFO reports about the process and its machine: memory, CPU time, system, executable.
// Everything may be called from any goroutine. Linux gives exact figures; other systems give the nearest they have.
package sysinfo

import (
	"os"
	"runtime"
	"strconv"
	"time"
)

// Facts do not change while the process runs.
type Facts struct {
	OS          string // "Linux 6.1.0 x86_64"
	ArchBits    int    // 64 or 32
	PID         int
	Executable  string // absolute path, "" if unknown
	TotalMemory int64  // bytes of the machine, 0 if unknown
	GoVersion   string
	StartedMs   int64 // unix time in ms that was given to Open
}

// Process reads the figures of this process.
type Process struct {
	Facts
	rss *os.File // stays open, so that a reading is one system call
}

// Open gathers the facts. nowMs is the unix time in ms from which Uptime counts. It always succeeds: what the system
// does not tell stays zero.
func Open(nowMs int64) *Process {
	exe, err := os.Executable()
	if err != nil {
		exe = ""
	}
	return &Process{
		Facts: Facts{
			OS: osName(), ArchBits: strconv.IntSize, PID: os.Getpid(), Executable: exe, TotalMemory: totalMemory(),
			GoVersion: runtime.Version(), StartedMs: nowMs,
		},
		rss: openRSS(),
	}
}

// Close releases the file that RSS reads; RSS then gives the peak.
func (p *Process) Close() error {
	if p.rss == nil {
		return nil
	}
	return p.rss.Close()
}

// Uptime is the time since Open, in whole seconds, never negative.
func (p *Process) Uptime(nowMs int64) int64 { return max(nowMs-p.StartedMs, 0) / 1000 }

// RSS is the physical memory that the process has now, in bytes. It costs one system call and no allocation. Where the
// system tells only the peak, it is that.
func (p *Process) RSS() int64 {
	rss, _ := p.Resident()
	return rss
}

// Resident is RSS, and how much of it is mapped from files or shared (the program itself, mostly); 0 where the system does
// not tell.
func (p *Process) Resident() (rss, file int64) {
	if p.rss != nil {
		var buf [128]byte
		n, _ := p.rss.ReadAt(buf[:], 0)
		if pages, shared, ok := residentPages(buf[:n]); ok {
			size := int64(os.Getpagesize())
			return pages * size, shared * size
		}
	}
	return PeakRSS(), 0
}

// residentPages reads the second and third number of /proc/self/statm.
func residentPages(statm []byte) (pages, shared int64, ok bool) {
	var num [3]int64
	i := 0
	for k := range num {
		ok = false
		for ; i < len(statm) && statm[i] >= '0' && statm[i] <= '9'; i++ {
			num[k] = num[k]*10 + int64(statm[i]-'0')
			ok = true
		}
		if !ok {
			return 0, 0, false
		}
		i++ // the blank
	}
	return num[1], num[2], true
}

// CPU is processor time.
type CPU struct{ User, System time.Duration }
