//go:build unix && !linux

package dict

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapNoReserve: these systems do not count address space that nobody touched.
const mapNoReserve = 0

// sysPurge returns the memory behind committed pages to the system; they stay usable and read as zero. Only Linux
// promises zeros after MADV_DONTNEED, so the range is mapped anew in place.
func sysPurge(p unsafe.Pointer, n uintptr) error {
	_, err := unix.MmapPtr(-1, 0, p, n, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_FIXED)
	return err
}

// sysHuge does nothing here: these systems choose their page sizes themselves.
func sysHuge(unsafe.Pointer, uintptr, bool) {}
