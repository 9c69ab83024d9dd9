package sysinfo

import "runtime"

// fallbackOS names the system where it does not name itself.
func fallbackOS() string { return runtime.GOOS + " " + runtime.GOARCH }
