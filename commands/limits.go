package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// LimitsOf takes the thresholds between the encodings from the configuration.
func LimitsOf(v *config.Values) object.Limits {
	l := object.DefaultLimits()
	l.HashMaxListpackEntries = int(v.HashMaxListpackEntries)
	l.HashMaxListpackValue = int(v.HashMaxListpackValue)
	l.SetMaxIntsetEntries = int(v.SetMaxIntsetEntries)
	l.ZsetMaxListpackEntries = int(v.ZsetMaxListpackEntries)
	l.ZsetMaxListpackValue = int(v.ZsetMaxListpackValue)
	l.ListMaxListpackSize = v.ListMaxListpackSize
	l.ListCompressDepth = v.ListCompressDepth
	l.StreamNodeMaxBytes = int(v.StreamNodeMaxBytes)
	l.StreamNodeMaxEntries = int(v.StreamNodeMaxEntries)
	return l
}
