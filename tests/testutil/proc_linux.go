package testutil

import "syscall"

// DieWithParent is for exec.Cmd.SysProcAttr: it has a test binary that dies take its servers with it.
func DieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
