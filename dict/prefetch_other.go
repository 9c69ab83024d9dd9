//go:build !amd64 && !arm64

package dict

import "unsafe"

// prefetch does nothing on processors that this package has no instruction for: it is only a hint.
func prefetch(unsafe.Pointer) {}
