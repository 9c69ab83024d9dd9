package dict

// Size classes.
//
// Up to 128 bytes they are 4 bytes apart, the granule of a Ref, so that a record of 81 bytes costs 84. From there to
// 16 KB there are sixteen in each doubling, so that a block is about a sixteenth larger than asked at most, and then eight.
// A slab holds blocks of one class only; the classes above 2 KB are chosen as whole fractions of their slab (which is
// then up to four units long), and those below are stretched to use up the slab, so that no slab has a wasted tail.
//
//	class      1 .. 31      32 .. 95          96 .. 111     112 .. 127     128 .. 143     144 .. 151
//	size       8 .. 128     136 .. 2048       .. 4096       .. 8192        .. 16384       .. 32768
//	slab       64 KB        64 KB             64 KB         128 KB         256 KB         256 KB
//
// Powers of two are classes, and their blocks are aligned to their size: bucket arrays rely on it.
const (
	numClasses = 152
	minSmall   = 8
	maxSmall   = 32 << 10

	classNone = 0    // unit is free, or belongs to a page run
	classCont = 0xff // unit is the second or later one of a longer slab
)

type classInfo struct {
	size   uint32 // bytes a block
	blocks uint16 // blocks a slab
	units  uint8  // 64 KB units a slab: 1, 2 or 4
	gran   uint8  // shift of the offsets in the free list: 2, or 4 in slabs of several units
}

var (
	classes    [numClasses]classInfo
	classSmall [1024/4 + 1]uint8          // by (n+3)/4, n <= 1024
	classBig   [(maxSmall-1)>>7 + 1]uint8 // by (n-1)/128: the first class that may do
)

func init() {
	c := 1
	for size := uint32(minSmall); size <= 128; size += 4 {
		classes[c] = classInfo{size, uint16(unitSize / size), 1, 2}
		c++
	}
	for base := uint32(128); base < 2048; base *= 2 {
		for i := uint32(1); i <= 16; i++ {
			blocks := unitSize / (base + base/16*i)
			classes[c] = classInfo{unitSize / blocks &^ 7, uint16(blocks), 1, 2}
			c++
		}
	}
	fractions := func(units, from, to uint32) {
		gran := uint8(2)
		if units > 1 {
			gran = 4
		}
		for blocks := from; blocks >= to; blocks-- {
			classes[c] = classInfo{units * unitSize / blocks &^ 15, uint16(blocks), uint8(units), gran}
			c++
		}
	}
	for units := uint32(1); units <= 4; units *= 2 {
		fractions(units, 31, 16)
	}
	fractions(4, 15, 8)
	for i := range classSmall {
		classSmall[i] = uint8(firstClass(uint32(i) * 4))
	}
	for i := range classBig {
		classBig[i] = uint8(firstClass(uint32(i)<<7 + 1))
	}
}

func firstClass(n uint32) int {
	c := 1
	for classes[c].size < n {
		c++
	}
	return c
}

// classOf returns the smallest class that holds n bytes; n <= maxSmall.
func classOf(n int) int {
	if n <= 1024 {
		return int(classSmall[(n+3)>>2])
	}
	c := int(classBig[(n-1)>>7])
	for int(classes[c].size) < n {
		c++
	}
	return c
}

// RoundUp returns the bytes that a block of n bytes really takes: the size of its class, or whole pages.
func RoundUp(n int) int {
	if n <= maxSmall {
		return int(classes[classOf(n)].size)
	}
	return (n + pageSize - 1) &^ (pageSize - 1)
}
