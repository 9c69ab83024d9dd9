package dict

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapNoReserve keeps the reservation out of the system's overcommit accounts.
const mapNoReserve = unix.MAP_NORESERVE

// sysPurge returns the memory behind committed pages to the system; they stay usable and read as zero.
func sysPurge(p unsafe.Pointer, n uintptr) error {
	return unix.Madvise(view(p, int(n)), unix.MADV_DONTNEED)
}

// sysHuge asks for, or refuses, transparent huge pages. It is advice: a kernel built without them says EINVAL, and
// nothing is lost but speed.
func sysHuge(p unsafe.Pointer, n uintptr, on bool) {
	advice := unix.MADV_NOHUGEPAGE
	if on {
		advice = unix.MADV_HUGEPAGE
	}
	_ = unix.Madvise(view(p, int(n)), advice)
}
