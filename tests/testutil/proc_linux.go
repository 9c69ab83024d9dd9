package testutil

import "syscall"

// dieWithParent has a test binary that dies take its servers with it.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
