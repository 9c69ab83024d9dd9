package dict

// SlotOf returns the position of a given record, found by its reference alone: the block it names may have been freed
// already, because the record has moved. h is the hash of its key.
func (t *Table) SlotOf(a *Arena, h uint64, r Ref) (Slot, bool) {
	w := 0
	if t.arr[1] != 0 && h&(1<<t.bits[0]-1) < t.pos {
		w = 1
	}
	for ; w < 2 && t.arr[w] != 0; w++ {
		pat := tagOf(h) * ones
		for u := t.headOf(w, h); u != 0; {
			b := a.bucket(u)
			for m := matchTags(b, pat); m != 0; m &= m - 1 {
				if i := firstSlot(m); Ref(slotWord(b, i)&refMask) == r {
					return Slot{t.headOf(w, h), u, uint8(i), uint8(w)}, true
				}
			}
			u = bucketNext(b)
		}
	}
	return Slot{}, false
}
