//go:build !linux

package testutil

import "syscall"

// dieWithParent is for Linux: elsewhere a test binary that is killed leaves its servers behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
