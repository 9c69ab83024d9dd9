package commands

import "github.com/raniellyferreira/redis-inmemory-replica/rdb"

func (l *Loader) packedHash(m *rdb.Meta, p rdb.Packing, data []byte, n int) error {
	return unsupported(m)
}

func (l *Loader) beginHash(m *rdb.Meta, n uint64) error { return unsupported(m) }

func (l *Loader) endHash() error { return nil }
