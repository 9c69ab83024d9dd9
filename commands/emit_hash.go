package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// rdbVersionFieldTTL is the first RDB version that has expiries of hash fields.
const rdbVersionFieldTTL = 12

// dumpVersion is the RDB version of the DUMP of a value: that of Redis 7.0, if
// it knows the value's form.
func dumpVersion(v object.Value) int {
	if object.MayHaveFieldTTLs(v.Record()) {
		return rdbVersionFieldTTL
	}
	return rdb.DumpVersion
}

// emitHash emits a hash: a small one whole, a large one field by field.
func emitHash(s rdb.Sink, m *rdb.Meta, v object.Value) error {
	if lp, stride := v.HashPacked(); lp != nil {
		if stride == 3 {
			return s.Packed(m, rdb.ListpackEx, lp, v.HashLen())
		}
		return s.Packed(m, rdb.Listpack, lp, v.HashLen())
	}
	if v.HashHasTTLs() {
		m.Code = rdb.CodeHashTTL
	}
	if err := s.Begin(m, uint64(v.HashLen())); err != nil {
		return err
	}
	var err error
	v.HashEach(new(object.HashBuf), func(field, val []byte, expiry int64) bool {
		if expiry == object.NoFieldExpiry {
			expiry = -1
		}
		err = s.HashField(field, val, expiry)
		return err == nil
	})
	if err != nil {
		return err
	}
	return s.End()
}
