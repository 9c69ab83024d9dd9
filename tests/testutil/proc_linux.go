package testutil

import "syscall"

// DieWithParent has a test binary that dies take its servers with it.
func DieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
