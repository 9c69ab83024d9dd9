package commands

import "github.com/raniellyferreira/redis-inmemory-replica/rdb"

func (l *Loader) beginStream(m *rdb.Meta, n uint64) error { return unsupported(m) }

func (l *Loader) endStream() error { return nil }
