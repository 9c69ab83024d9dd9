package object

import (
	"encoding/binary"
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// What every type offers (Ops), for hashes.

func hashDigest(v Value, d *digest.State) {
	v.HashEach(new(HashBuf), func(field, val []byte, expiry int64) bool {
		d.HashField(field, val, expiry != NoFieldExpiry)
		return true
	})
}

// hashFreeStep frees elements, and after the last the heap of their expiries.
func hashFreeStep(v Value, budget int) bool {
	if FreeElemsStep(v.A, v.hashTable(), budget) {
		return true
	}
	if v.Record().Encoding() == EncHashtableEx {
		v.hashHeap().free(v.A)
	}
	return false
}

func hashMemory(v Value, samples int) int64 {
	n := SampleMemory(v.A, v.hashTable(), samples)
	if v.Record().Encoding() == EncHashtableEx {
		n += v.hashHeap().bytes()
	}
	return n
}

// hashCopy copies a hash that is not a plain payload. The copy is in no index.
func hashCopy(v Value, key []byte) dict.Ref {
	a := v.A
	n := Value{a, a.Rename(dict.EntryLayout, v.Ref, key, false)}
	enc := v.Record().Encoding()
	if enc == EncListpackEx || enc == EncHashtableEx {
		binary.LittleEndian.PutUint32(n.Packed()[8:], notIndexed)
	}
	if enc == EncListpackEx {
		return n.Ref
	}
	t := n.hashTable()
	t.Init(dict.ElemLayout)
	CopyElems(a, t, v.hashTable())
	if enc == EncHashtable {
		return n.Ref
	}
	heap := n.hashHeap()
	*heap = ttlHeap{}
	EachElem(a, t, func(r dict.Ref) bool {
		if a.Elem(r).HasExpire() {
			heap.add(a, r)
		}
		return true
	})
	return n.Ref
}

// hashCompactStep moves elements out of memory that is being evacuated.
func hashCompactStep(v Value, cursor uint64, budget int) uint64 {
	a := v.A
	ttls := v.Record().Encoding() == EncHashtableEx
	if ttls && cursor == 0 {
		v.hashHeap().compact(a)
	}
	return CompactElems(a, v.hashTable(), cursor, budget, func(r dict.Ref) {
		if ttls && a.Elem(r).HasExpire() {
			v.hashHeap().moved(a, r)
		}
	})
}

// hashCheck verifies what the functions of this file rely on.
func hashCheck(v Value) error {
	enc := v.Record().Encoding()
	if isSmallHash(enc) {
		lp, _, stride := v.hashPacked()
		n, err := listpack.Validate(lp)
		if err != nil {
			return err
		}
		if n%stride != 0 {
			return fmt.Errorf("hash of %d entries in groups of %d", n, stride)
		}
		if stride == 3 {
			return checkTriples(v, lp)
		}
		return nil
	}
	if err := v.hashTable().Check(v.A); err != nil {
		return err
	}
	ttls := 0
	var err error
	EachElem(v.A, v.hashTable(), func(r dict.Ref) bool {
		e := v.A.Elem(r)
		switch {
		case !e.HasPayload():
			err = fmt.Errorf("field %q has no value", e.Key())
		case e.HasExpire() && enc == EncHashtable:
			err = fmt.Errorf("field %q expires in a hash whose fields do not", e.Key())
		case e.HasExpire():
			ttls++
		}
		return err == nil
	})
	if err != nil || enc == EncHashtable {
		return err
	}
	heap := v.hashHeap()
	if int(heap.n) != ttls {
		return fmt.Errorf("%d fields expire, the heap has %d", ttls, heap.n)
	}
	if v.HashDue() != heap.least(v.A) {
		return fmt.Errorf("the least expiry is %d, the hash says %d", heap.least(v.A), v.HashDue())
	}
	return heap.check(v.A)
}

func checkTriples(v Value, lp []byte) error {
	last, least := int64(-1), NoFieldExpiry
	for p := listpack.First(lp); p >= 0; {
		p = listpack.Next(lp, listpack.Next(lp, p))
		e := expiryAt(lp, p)
		if e < last {
			return fmt.Errorf("expiry %d follows %d", e, last)
		}
		last, least = e, min(least, e)
		p = listpack.Next(lp, p)
	}
	if v.HashDue() != least {
		return fmt.Errorf("the least expiry is %d, the hash says %d", least, v.HashDue())
	}
	return nil
}
