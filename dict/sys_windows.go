package dict

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// sysReserve takes a range of addresses without memory behind it.
func sysReserve(n uintptr) (unsafe.Pointer, error) {
	addr, err := windows.VirtualAlloc(0, n, windows.MEM_RESERVE, windows.PAGE_NOACCESS)
	if err != nil {
		return nil, err
	}
	// The address is not one of the Go heap; reading it as a pointer is the way to say so.
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr)), nil
}

// sysCommit makes part of a reserved range usable; it reads as zero.
func sysCommit(p unsafe.Pointer, n uintptr) error {
	_, err := windows.VirtualAlloc(uintptr(p), n, windows.MEM_COMMIT, windows.PAGE_READWRITE)
	return err
}

// sysPurge returns the memory behind committed pages to the system; they stay usable and read as zero.
func sysPurge(p unsafe.Pointer, n uintptr) error {
	if err := windows.VirtualFree(uintptr(p), n, windows.MEM_DECOMMIT); err != nil {
		return err
	}
	return sysCommit(p, n)
}

// sysHuge does nothing here: large pages need a privilege and cannot be given back in parts.
func sysHuge(unsafe.Pointer, uintptr, bool) {}

// sysRelease gives the whole range back. p is that of sysReserve.
func sysRelease(p unsafe.Pointer, _ uintptr) error {
	return windows.VirtualFree(uintptr(p), 0, windows.MEM_RELEASE)
}
