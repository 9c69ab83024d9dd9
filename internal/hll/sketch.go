package hll

import "strconv"

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }

// Sketch is a workspace in which a sketch of either form is changed. Its memory
// is used again from one sketch to the next. The zero value is ready.
type Sketch struct {
	b    []byte
	next []byte // for the dense form, while the sparse one is still needed
}

// Load copies a valid sketch in.
func (k *Sketch) Load(s []byte) { k.b = append(k.b[:0], s...) }

// LoadEmpty starts with a sketch that has seen nothing.
func (k *Sketch) LoadEmpty() { k.b = AppendEmpty(k.b[:0]) }

// Bytes is the sketch as it is now, valid until the next call of a method.
func (k *Sketch) Bytes() []byte { return k.b }

// Add adds an element, see Set.
func (k *Sketch) Add(elem []byte, maxSparse int64) (changed bool, err error) {
	i, v := Hash(elem)
	return k.Set(i, v, maxSparse)
}

// ToDense makes the sketch dense; the cached estimate stays. After an error it is
// as it was.
func (k *Sketch) ToDense() error {
	if IsDense(k.b) {
		return nil
	}
	if cap(k.next) < DenseSize {
		k.next = make([]byte, DenseSize)
	}
	d := k.next[:DenseSize]
	copy(d, k.b[:HeaderSize])
	clear(d[HeaderSize:])
	d[4] = dense
	regs := d[HeaderSize:]
	err := eachRun(k.b, func(i, n int, v byte) {
		for ; n > 0; n-- {
			putRegister(regs, i, v)
			i++
		}
	})
	if err != nil {
		return err
	}
	k.b, k.next = d, k.b
	return nil
}

// eachRun calls fn for the VAL runs of a sparse sketch, n registers from i on
// that hold v. fn has seen some of them by the time an error shows.
func eachRun(s []byte, fn func(i, n int, v byte)) error {
	p := s[HeaderSize:]
	at := 0
	for i := 0; i < len(p); {
		r := runAt(p, i)
		if at+r.n > Registers {
			return ErrCorrupt
		}
		if r.value != 0 {
			fn(at, r.n, r.value)
		}
		at += r.n
		i += r.size
	}
	if at != Registers {
		return ErrCorrupt
	}
	return nil
}

// Set raises register index to v, 1 to 51; changed is false if it was as large
// already. A sparse sketch becomes dense if it cannot hold v, or would become
// longer than maxSparse bytes by it. The cached estimate is marked as out of date
// in the sparse form only: in the dense one the caller does it, once.
func (k *Sketch) Set(index int, v byte, maxSparse int64) (changed bool, err error) {
	if IsDense(k.b) {
		return SetRegister(k.b, index, v), nil
	}
	if v > maxVal {
		return k.setAsDense(index, v)
	}
	p := k.b[HeaderSize:]

	// Find the run that covers the register: it starts with register first, at
	// p[at]; prev is the place of the run before it.
	at, prev, first := 0, 0, 0
	var r run
	for {
		if at >= len(p) {
			return false, ErrCorrupt
		}
		r = runAt(p, at)
		if index < first+r.n {
			break
		}
		prev = at
		at += r.size
		first += r.n
	}
	if r.value >= v {
		return false, nil
	}
	if r.n == 1 && r.size == 1 {
		p[at] = val(v, 1)
	} else {
		// The run becomes up to three: what is before the register, the register,
		// what is behind it.
		var room [5]byte
		seq := room[:0]
		before, behind := index-first, first+r.n-1-index
		if r.value == 0 {
			if before > 0 {
				seq = appendZeros(seq, before)
			}
			seq = append(seq, val(v, 1))
			if behind > 0 {
				seq = appendZeros(seq, behind)
			}
		} else {
			if before > 0 {
				seq = append(seq, val(r.value, before))
			}
			seq = append(seq, val(v, 1))
			if behind > 0 {
				seq = append(seq, val(r.value, behind))
			}
		}
		if grow := len(seq) - r.size; grow > 0 && int64(len(k.b)+grow) > maxSparse {
			return k.setAsDense(index, v)
		}
		p = k.splice(at, r.size, seq)
	}
	k.mergeRuns(p, prev)
	Invalidate(k.b)
	return true, nil
}

// splice replaces old bytes at p[at] by seq and returns the runs as they are now.
func (k *Sketch) splice(at, old int, seq []byte) []byte {
	at += HeaderSize
	missing := max(at+old-len(k.b), 0) // an XZERO at the end may lack its second byte
	old -= missing
	tail := at + old
	if grow := len(seq) - old; grow > 0 {
		var room [4]byte
		k.b = append(k.b, room[:grow]...)
		copy(k.b[tail+grow:], k.b[tail:len(k.b)-grow])
	} else if grow < 0 {
		copy(k.b[tail+grow:], k.b[tail:])
		k.b = k.b[:len(k.b)+grow]
	}
	copy(k.b[at:], seq)
	k.b = k.b[:len(k.b)-missing]
	return k.b[HeaderSize:]
}

// mergeRuns joins neighbouring VAL runs of the same value, looking at five runs
// from p[at] on. That bound, and that zeros are never joined, decide which of
// many possible strings a sketch is: they must be those of redis-server.
func (k *Sketch) mergeRuns(p []byte, at int) {
	for steps := 5; at < len(p) && steps > 0; steps-- {
		r := runAt(p, at)
		if r.value != 0 && at+1 < len(p) && isVal(p[at+1]) {
			s := runAt(p, at+1)
			if r.value == s.value && r.n+s.n <= maxValLen {
				p[at+1] = val(r.value, r.n+s.n)
				copy(p[at:], p[at+1:])
				p = p[:len(p)-1]
				continue
			}
		}
		at += r.size
	}
	k.b = k.b[:HeaderSize+len(p)]
}

// setAsDense makes the sketch dense and raises a register that is smaller.
func (k *Sketch) setAsDense(index int, v byte) (bool, error) {
	if err := k.ToDense(); err != nil {
		return false, err
	}
	return SetRegister(k.b, index, v), nil
}
