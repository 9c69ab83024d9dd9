package sysinfo

import "golang.org/x/sys/unix"

const maxrssUnit = 1 // macOS counts bytes, the others KB

func totalMemory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(n)
}
