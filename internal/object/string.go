package object

import "github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"

// EmbstrLimit is the length up to which a string that was stored whole is
// reported as embstr, bytes.
const EmbstrLimit = 44

// EncodeString is the encoding that a string stored whole is reported with. The
// text itself is held as it is in every encoding.
func EncodeString(v []byte) byte {
	if len(v) <= 20 && len(v) > 0 {
		if c := v[0]; c == '-' || (c >= '0' && c <= '9') {
			if _, ok := numeric.ParseInt(v); ok {
				return EncInt
			}
		}
	}
	if len(v) <= EmbstrLimit {
		return EncEmbstr
	}
	return EncRaw
}
