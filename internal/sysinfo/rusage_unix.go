//go:build unix

package sysinfo

import (
	"time"

	"golang.org/x/sys/unix"
)

func usage(who int) (u unix.Rusage, ok bool) {
	err := unix.Getrusage(who, &u)
	return u, err == nil
}

func cpu(who int) CPU {
	u, _ := usage(who)
	return CPU{time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano())}
}

// SelfCPU is the processor time of all threads of this process.
func SelfCPU() CPU { return cpu(unix.RUSAGE_SELF) }

// ChildrenCPU is the processor time of ended child processes that were waited for.
func ChildrenCPU() CPU { return cpu(unix.RUSAGE_CHILDREN) }

// PeakRSS is the most physical memory that the process has had, in bytes; 0 if unknown.
func PeakRSS() int64 {
	u, _ := usage(unix.RUSAGE_SELF)
	return int64(u.Maxrss) * maxrssUnit
}

// osName is the system's name, release and machine.
func osName() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fallbackOS()
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}
