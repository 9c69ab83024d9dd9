package sysinfo

import (
	"os"

	"golang.org/x/sys/unix"
)

const maxrssUnit = 1024

// ThreadCPU is the processor time of the calling thread. It means something only for a goroutine that is locked to its
// thread, as the event loop's may be.
func ThreadCPU() CPU { return cpu(unix.RUSAGE_THREAD) }

func openRSS() *os.File {
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		return nil
	}
	return f
}

func totalMemory() int64 {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return 0
	}
	return int64(uint64(s.Totalram) * uint64(s.Unit))
}
