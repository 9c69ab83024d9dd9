//go:build amd64 || arm64

package dict

import "unsafe"

// prefetch asks the processor to load a cache line. Any address will do, it cannot fault.
//
//go:noescape
func prefetch(p unsafe.Pointer)
