package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// dumpHash appends the payload of DUMP for a hash. Only one whose fields may
// expire needs the format of Redis 7.4.
func dumpHash(dst []byte, v object.Value, comp *rdb.Compressor) []byte {
	version := int(rdb.DumpVersion)
	if v.HashHasTTLs() {
		version = rdbVersionHashTTL
	}
	e := rdb.NewDumpEncoder(version, comp)
	e.StartDump(dst)
	if err := hashTo(e, &rdb.Meta{}, v); err != nil {
		panic("commands: DUMP of a hash: " + err.Error()) // the encoder was told the truth
	}
	out, err := e.FinishDump()
	if err != nil {
		panic("commands: DUMP of a hash: " + err.Error())
	}
	return out
}

// rdbVersionHashTTL is the first RDB version with expiries of fields.
const rdbVersionHashTTL = 12

// hashTo hands a hash to a sink, in the form in which an RDB has it: a small one
// whole, a large one field by field. m is completed.
func hashTo(e rdb.Sink, m *rdb.Meta, v object.Value) error {
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
	v.HashEach(new(object.HashBuf), func(field, val []byte, expiry int64) bool {
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
