//go:build unix

package testport

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the file for this process, or fails when another has it.
func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
