//go:build unix && !linux

package sysinfo

import "os"

// ThreadCPU is the processor time of the whole process: the system does not tell it for a thread.
func ThreadCPU() CPU { return SelfCPU() }

func openRSS() *os.File { return nil }
