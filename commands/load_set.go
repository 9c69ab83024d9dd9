package commands

import "github.com/raniellyferreira/redis-inmemory-replica/rdb"

func (l *Loader) packedSet(m *rdb.Meta, p rdb.Packing, data []byte, n int) error {
	return unsupported(m)
}

func (l *Loader) beginSet(m *rdb.Meta, n uint64) error { return unsupported(m) }

func (l *Loader) endSet() error { return nil }
