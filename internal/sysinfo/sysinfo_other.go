//go:build !unix

package sysinfo

import (
	"os"
	"runtime"
)

// SelfCPU is unknown on this system.
func SelfCPU() CPU { return CPU{} }

// ChildrenCPU is unknown on this system.
func ChildrenCPU() CPU { return CPU{} }

// ThreadCPU is unknown on this system.
func ThreadCPU() CPU { return CPU{} }

// PeakRSS is what the Go runtime has from the system, in bytes.
func PeakRSS() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}

func osName() string     { return fallbackOS() }
func openRSS() *os.File  { return nil }
func totalMemory() int64 { return 0 }
