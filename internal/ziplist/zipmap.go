package ziplist

import (
	"encoding/binary"
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

func badMap(off int, format string, args ...any) error {
	return &CorruptError{off, "zipmap", fmt.Sprintf(format, args...)}
}

// MapIter walks a zipmap and checks each pair as it comes to it.
type MapIter struct {
	zm  []byte
	pos int
	n   int

	// Field and Value are views of the current pair.
	Field, Value []byte
}

// Start checks the frame of zm and makes it the zipmap to walk.
func (it *MapIter) Start(zm []byte) error {
	*it = MapIter{zm: zm, pos: 1}
	if len(zm) < 2 {
		return badMap(0, "%d bytes are not even an empty zipmap", len(zm))
	}
	if zm[len(zm)-1] != end {
		return badMap(len(zm)-1, "no end byte")
	}
	return nil
}

// text reads a length and as many bytes; for a value also what is free after it.
func (it *MapIter) text(value bool) ([]byte, error) {
	p, last := it.pos, len(it.zm)-1
	n, h := int(it.zm[p]), 1
	if n >= bigPrev {
		if h = 5; last-p < h {
			return nil, badMap(p, "a length ends beyond the end byte")
		}
		n = int(binary.LittleEndian.Uint32(it.zm[p+1:]))
	}
	free := 0
	if value {
		if last-p < h+1 {
			return nil, badMap(p, "a length ends beyond the end byte")
		}
		free = int(it.zm[p+h])
		h++
	}
	if last-p-h < n || last-p-h-n < free {
		return nil, badMap(p, "a text of %d bytes ends beyond the end byte", n)
	}
	it.pos = p + h + n + free
	return it.zm[p+h : p+h+n : p+h+n], nil
}

// Next moves to the next pair; ok is false at the end, when the count was
// checked too.
func (it *MapIter) Next() (ok bool, err error) {
	if it.zm[it.pos] == end {
		if it.pos != len(it.zm)-1 {
			return false, badMap(it.pos, "an end byte before the end at byte %d", len(it.zm)-1)
		}
		if c := int(it.zm[0]); c < bigPrev && c != it.n {
			return false, badMap(0, "the header states %d pairs, there are %d", c, it.n)
		}
		return false, nil
	}
	if it.Field, err = it.text(false); err != nil {
		return false, err
	}
	if it.pos >= len(it.zm)-1 {
		return false, badMap(it.pos, "a field without a value")
	}
	if it.Value, err = it.text(true); err != nil {
		return false, err
	}
	it.n++
	return true, nil
}

// ValidateMap checks a zipmap in depth and returns the number of its pairs.
func ValidateMap(zm []byte) (n int, err error) {
	var it MapIter
	if err := it.Start(zm); err != nil {
		return 0, err
	}
	for {
		ok, err := it.Next()
		if !ok || err != nil {
			return it.n, err
		}
	}
}

// AppendMapListpack appends the listpack of fields and values of the zipmap zm
// to dst and returns the number of pairs. On an error dst is returned as it was.
func AppendMapListpack(dst, zm []byte) (out []byte, n int, err error) {
	var it MapIter
	if err := it.Start(zm); err != nil {
		return dst, 0, err
	}
	start := len(dst)
	out = listpack.Begin(dst)
	for {
		ok, err := it.Next()
		if err != nil {
			return out[:start], 0, err
		}
		if !ok {
			return listpack.Finish(out, start, 2*it.n), it.n, nil
		}
		out = listpack.AppendEntry(out, it.Field)
		out = listpack.AppendEntry(out, it.Value)
	}
}
