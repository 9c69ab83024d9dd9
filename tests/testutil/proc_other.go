//go:build !linux

package testutil

import "syscall"

// DieWithParent is for Linux: elsewhere a test binary that is killed leaves its servers behind.
func DieWithParent() *syscall.SysProcAttr { return nil }
