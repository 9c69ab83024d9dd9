package dict

import (
	"encoding/binary"
	"unsafe"
)

// All off-heap integers are little endian, whatever the machine. On little-endian machines each of these is one
// instruction; unaligned addresses are fine, since nothing here is a Go pointer.

func ld16(p unsafe.Pointer, off uintptr) uint16 {
	return binary.LittleEndian.Uint16((*[2]byte)(unsafe.Add(p, off))[:])
}

func ld32(p unsafe.Pointer, off uintptr) uint32 {
	return binary.LittleEndian.Uint32((*[4]byte)(unsafe.Add(p, off))[:])
}

func ld64(p unsafe.Pointer, off uintptr) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(p, off))[:])
}

func st16(p unsafe.Pointer, off uintptr, v uint16) {
	binary.LittleEndian.PutUint16((*[2]byte)(unsafe.Add(p, off))[:], v)
}

func st32(p unsafe.Pointer, off uintptr, v uint32) {
	binary.LittleEndian.PutUint32((*[4]byte)(unsafe.Add(p, off))[:], v)
}

func st64(p unsafe.Pointer, off uintptr, v uint64) {
	binary.LittleEndian.PutUint64((*[8]byte)(unsafe.Add(p, off))[:], v)
}

func ld8(p unsafe.Pointer, off uintptr) uint8 { return *(*uint8)(unsafe.Add(p, off)) }

func st8(p unsafe.Pointer, off uintptr, v uint8) { *(*uint8)(unsafe.Add(p, off)) = v }

// view makes a slice over off-heap memory.
func view(p unsafe.Pointer, n int) []byte { return unsafe.Slice((*byte)(p), n) }
