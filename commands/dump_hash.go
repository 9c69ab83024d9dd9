package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// hashTo hands a hash to a sink, in the form in which an RDB has it: a small one
// whole, a large one field by field.
func (s *Server) hashTo(e rdb.Sink, m *rdb.Meta, v object.Value) error {
	m.Type = rdb.TypeHash
	if lp, stride := v.HashPacked(); lp != nil {
		if stride == 3 {
			return e.Packed(m, rdb.ListpackEx, lp, v.HashLen())
		}
		return e.Packed(m, rdb.Listpack, lp, v.HashLen())
	}
	if v.HashHasTTLs() {
		m.Code = rdb.CodeHashTTL
	}
	if err := e.Begin(m, uint64(v.HashLen())); err != nil {
		return err
	}
	var err error
	v.HashEach(&s.hashBuf, func(field, val []byte, expiry int64) bool {
		if expiry == object.NoFieldExpiry {
			expiry = -1
		}
		err = e.HashField(field, val, expiry)
		return err == nil
	})
	if err != nil {
		return err
	}
	return e.End()
}
