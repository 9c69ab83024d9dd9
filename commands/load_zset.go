package commands

import "github.com/raniellyferreira/redis-inmemory-replica/rdb"

func (l *Loader) packedZset(m *rdb.Meta, p rdb.Packing, data []byte, n int) error {
	return unsupported(m)
}

func (l *Loader) beginZset(m *rdb.Meta, n uint64) error { return unsupported(m) }

func (l *Loader) endZset() error { return nil }
