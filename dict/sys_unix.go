//go:build unix

package dict

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sysReserve takes a range of addresses without memory behind it.
func sysReserve(n uintptr) (unsafe.Pointer, error) {
	return unix.MmapPtr(-1, 0, nil, n, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE|mapNoReserve)
}

// sysCommit makes part of a reserved range usable; it reads as zero.
func sysCommit(p unsafe.Pointer, n uintptr) error {
	return unix.Mprotect(view(p, int(n)), unix.PROT_READ|unix.PROT_WRITE)
}

// sysRelease gives the whole range back. p and n are those of sysReserve.
func sysRelease(p unsafe.Pointer, n uintptr) error { return unix.MunmapPtr(p, n) }
