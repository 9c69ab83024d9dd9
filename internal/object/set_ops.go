package object

import (
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// What every type offers (Ops), for sets.

func setDigest(v Value, d *digest.State) {
	SetEach(v, func(m []byte) bool {
		d.SetMember(m)
		return true
	})
}

func setFreeStep(v Value, budget int) bool { return FreeElemsStep(v.A, v.setTable(), budget) }

func setMemory(v Value, samples int) int64 { return SampleMemory(v.A, v.setTable(), samples) }

// setCopy copies a set in a hash table.
func setCopy(v Value, key []byte) dict.Ref {
	n := Value{v.A, v.A.Rename(dict.EntryLayout, v.Ref, key, false)}
	InitSet(n)
	CopyElems(v.A, n.setTable(), v.setTable())
	return n.Ref
}

// setCompactStep moves members out of memory that is being evacuated.
func setCompactStep(v Value, cursor uint64, budget int) uint64 {
	return CompactElems(v.A, v.setTable(), cursor, budget, func(dict.Ref) {})
}

// setCheck verifies what the functions on sets rely on.
func setCheck(v Value) error {
	switch v.Record().Encoding() {
	case EncIntset:
		_, err := intset.Validate(v.Packed())
		return err
	case EncListpack:
		lp := v.Packed()
		if _, err := listpack.Validate(lp); err != nil {
			return err
		}
		var buf listpack.IntBuf
		for p := listpack.First(lp); p >= 0; {
			m := listpack.Get(lp, p, &buf)
			p = listpack.Next(lp, p)
			if listpack.Find(lp, p, m, 0) >= 0 {
				return fmt.Errorf("member %q is there twice", m)
			}
		}
		return nil
	}
	if err := v.setTable().Check(v.A); err != nil {
		return err
	}
	var err error
	EachElem(v.A, v.setTable(), func(r dict.Ref) bool {
		if e := v.A.Elem(r); e.HasPayload() || e.HasExpire() || e.Flags() != 0 {
			err = fmt.Errorf("member %q is no plain element", e.Key())
		}
		return err == nil
	})
	return err
}
