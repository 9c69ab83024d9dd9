package dict

// Sample calls fn for up to n records that stand close together at a random place of the table; fn must not change the table.
// Of one bucket's records, which all have the same chance, only as many are taken as are still wanted, so that a few samples
// touch one or two lines of the table. Neighbours in a hash table have nothing to do with each other: for estimates
// (what is the oldest of five?) they serve as well as records from n places. It gives up after 10·n empty buckets.
func (t *Table) Sample(a *Arena, rnd func() uint64, n int, fn func(Ref)) {
	if t.Len() == 0 {
		return
	}
	first := uint64(1)<<t.bits[0] - t.pos // buckets of array 0 that may hold something
	all := first
	if t.arr[1] != 0 {
		all += 1 << t.bits[1]
	}
	i := below(rnd, all)
	for visits := 10 * n; n > 0 && visits > 0; visits-- {
		w, at := 0, t.pos+i
		if i >= first {
			w, at = 1, i-first
		}
		n -= t.sampleChain(a, t.arr[w]+uint32(at), n, rnd, fn)
		if i++; i == all {
			i = 0
		}
	}
}

// sampleChain calls fn for n records of a chain, or for all if there are no more, and returns for how many. Each has the same
// chance: how many are still to be chosen, over how many are left.
func (t *Table) sampleChain(a *Arena, u uint32, n int, rnd func() uint64, fn func(Ref)) int {
	left := t.chainLen(a, u)
	taken := 0
	for u != 0 {
		b := a.bucket(u)
		for m := ^matchTags(b, 0) & allSlots; m != 0; m &= m - 1 {
			if want := uint64(n - taken); want >= left || want > 0 && below(rnd, left) < want {
				fn(Ref(slotWord(b, firstSlot(m)) & refMask))
				taken++
			}
			left--
		}
		u = bucketNext(b)
	}
	return taken
}
