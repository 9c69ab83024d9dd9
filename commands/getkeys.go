package commands

// Key finders for the commands whose specs fall short: keys behind options
// that may stand anywhere, and keys whose flags depend on the arguments.
// Where a finder serves as the fallback of a spec that could not be resolved, it is as
// lenient as the reference server is: COMMAND GETKEYS shows the difference.

// countedKeys returns a finder for "cmd … numkeys key …": the count stands at
// countAt, the keys right behind it. destAt, if not 0, is a destination key
// that is reported last. The flags are left empty: they are known
// only where the spec is.
func countedKeys(destAt, countAt int) GetKeysFunc {
	return func(args [][]byte, dst []KeyRef) []KeyRef {
		first := countAt + 1
		n := looseInt(args[countAt])
		if n < 1 || n > len(args)-first {
			return dst
		}
		for i := range n {
			dst = append(dst, KeyRef{Pos: first + i})
		}
		if destAt != 0 {
			dst = append(dst, KeyRef{Pos: destAt})
		}
		return dst
	}
}

// looseInt reads an integer as C's atoi does: leading space, a sign, and
// whatever digits follow; 0 if there are none. Values beyond int32 are
// truncated to it.
func looseInt(b []byte) int {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i]-'\t' < 5) {
		i++
	}
	neg := false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		neg = b[i] == '-'
		i++
	}
	var n int64
	for ; i < len(b) && b[i]-'0' < 10; i++ {
		d := int64(b[i] - '0')
		if n > (1<<63-1-d)/10 {
			n = 1<<63 - 1
			break
		}
		n = n*10 + d
	}
	if neg {
		n = -n
	}
	return int(int32(n))
}

// sortROKeys finds the one key of SORT_RO. The keys that BY and GET patterns
// lead to depend on the data and are not reported.
func sortROKeys(args [][]byte, dst []KeyRef) []KeyRef {
	return append(dst, KeyRef{1, KeyRO | KeyAccess})
}

// sortKeys finds the sorted key and the destination of the last STORE.
func sortKeys(args [][]byte, dst []KeyRef) []KeyRef {
	dst = append(dst, KeyRef{1, KeyRO | KeyAccess})
	store := 0
	for i := 2; i < len(args); i++ {
		switch a := args[i]; {
		case equalFold(a, "limit"):
			i += 2
		case equalFold(a, "get"), equalFold(a, "by"):
			i++
		case equalFold(a, "store") && i+1 < len(args):
			store = i + 1
		}
	}
	if store != 0 {
		dst = append(dst, KeyRef{store, KeyOW | KeyUpdate})
	}
	return dst
}

// migrateKeys finds the key at position 3, or the keys behind KEYS, which
// needs an empty string at position 3.
func migrateKeys(args [][]byte, dst []KeyRef) []KeyRef {
	const flags = KeyRW | KeyAccess | KeyDelete
	for i := 6; i < len(args); i++ {
		switch a := args[i]; {
		case equalFold(a, "keys"):
			if len(args[3]) > 0 {
				return dst
			}
			for j := i + 1; j < len(args); j++ {
				dst = append(dst, KeyRef{j, flags})
			}
			return dst
		case equalFold(a, "auth"):
			i++
		case equalFold(a, "auth2"):
			i += 2
		}
	}
	return append(dst, KeyRef{3, flags})
}

// georadiusKeys finds the searched key and the destination of the last STORE or
// STOREDIST.
func georadiusKeys(args [][]byte, dst []KeyRef) []KeyRef {
	store := 0
	for i := 5; i+1 < len(args); i++ {
		if equalFold(args[i], "store") || equalFold(args[i], "storedist") {
			i++
			store = i
		}
	}
	dst = append(dst, KeyRef{Pos: 1})
	if store != 0 {
		dst = append(dst, KeyRef{Pos: store})
	}
	return dst
}

// xreadKeys finds the keys behind STREAMS. The options before it are parsed,
// since "streams" may also be the name of a group, a consumer or a key.
func xreadKeys(args [][]byte, dst []KeyRef) []KeyRef {
	for i := 1; i < len(args); i++ {
		switch a := args[i]; {
		case equalFold(a, "block"), equalFold(a, "count"):
			i++
		case equalFold(a, "group"):
			i += 2
		case equalFold(a, "noack"):
		case equalFold(a, "streams"):
			n := len(args) - i - 1
			if n%2 != 0 {
				return dst
			}
			for j := range n / 2 {
				dst = append(dst, KeyRef{Pos: i + 1 + j})
			}
			return dst
		default:
			return dst
		}
	}
	return dst
}

// setKeys finds the key of SET, which is read only if GET is among the
// options.
func setKeys(args [][]byte, dst []KeyRef) []KeyRef {
	for i := 3; i < len(args); i++ {
		if equalFold(args[i], "get") {
			return append(dst, KeyRef{1, KeyRW | KeyAccess | KeyUpdate})
		}
	}
	return append(dst, KeyRef{1, KeyOW | KeyUpdate})
}

// bitfieldKeys finds the key of BITFIELD, which is only read if no SET or
// INCRBY, and nothing unknown, is among the operations.
func bitfieldKeys(args [][]byte, dst []KeyRef) []KeyRef {
	for i := 2; i < len(args); i++ {
		left := len(args) - i - 1
		switch a := args[i]; {
		case equalFold(a, "get") && left >= 2:
			i += 2
		case equalFold(a, "overflow") && left >= 1:
			i++
		default:
			return append(dst, KeyRef{1, KeyRW | KeyAccess | KeyUpdate})
		}
	}
	return append(dst, KeyRef{1, KeyRO | KeyAccess})
}
