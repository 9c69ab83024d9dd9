package object

import (
	"fmt"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/quicklist"
)

// What the DEBUG commands say of the inside of values. The reports take time proportional to the value.

// InnerTable is the hash table in which a large set, hash or sorted set keeps its elements; nil for any other value. It is
// valid until the record moves.
func (v Value) InnerTable() *dict.Table {
	switch rec := v.Record(); {
	case rec.Type() == TypeSet && rec.Encoding() == EncHashtable:
		return v.setTable()
	case rec.Type() == TypeHash && (rec.Encoding() == EncHashtable || rec.Encoding() == EncHashtableEx):
		return v.hashTable()
	case rec.Type() == TypeZset && !v.zsetPacked():
		return &v.zset().table
	}
	return nil
}

// ListpackReport describes every entry of a value that is one listpack, as DEBUG LISTPACK logs it; false for a value that
// is not, and for a list, whose listpack passes for a quicklist of one node.
func (v Value) ListpackReport() (string, bool) {
	rec := v.Record()
	if rec.Type() == TypeList || rec.Type() == TypeStream || rec.Encoding() != EncListpack && rec.Encoding() != EncListpackEx {
		return "", false
	}
	lp := v.Packed()
	if rec.Type() == TypeHash {
		lp, _ = v.HashPacked()
	}
	var b strings.Builder
	describeListpack(&b, lp, "")
	return b.String(), true
}

func describeListpack(b *strings.Builder, lp []byte, indent string) {
	fmt.Fprintf(b, "%s{total bytes %d} {num entries %d}", indent, listpack.Size(lp), listpack.Len(lp))
	i := 0
	for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
		size := listpack.SizeAt(lp, p)
		fmt.Fprintf(b, "\n%s{index: %d, offset: %d, entry bytes: %d, raw: % x, ", indent, i, p, size, lp[p:p+min(size, 16)])
		if s, n, isInt := listpack.Entry(lp, p); isInt {
			fmt.Fprintf(b, "[int] %d}", n)
		} else {
			fmt.Fprintf(b, "[str] %q}", s[:min(len(s), 40)])
		}
		i++
	}
}

// ListReport describes the nodes of a list, as DEBUG QUICKLIST logs it, with entries also those of each node; false for a
// value that is no list.
func (v Value) ListReport(env *quicklist.Env, entries bool) (string, bool) {
	if v.Record().Type() != TypeList {
		return "", false
	}
	var b strings.Builder
	l := v.List()
	if l == nil {
		lp := v.Packed()
		fmt.Fprintf(&b, "{one listpack} {size: %d, count: %d}", len(lp), listpack.Len(lp))
		if entries {
			b.WriteByte('\n')
			describeListpack(&b, lp, "  ")
		}
		return b.String(), true
	}
	fmt.Fprintf(&b, "{%s}", strings.TrimSpace(v.ListFigures(env)))
	i := 0
	l.EachNode(v.A, env, func(data []byte, n int) error {
		kind := "PACKED"
		if n == 0 {
			kind = "PLAIN"
		}
		fmt.Fprintf(&b, "\n{node %d: container: %s, size: %d, count: %d}", i, kind, len(data), max(n, 1))
		if entries && n > 0 {
			b.WriteByte('\n')
			describeListpack(&b, data, "  ")
		} else if entries {
			fmt.Fprintf(&b, "\n  [str] %q", data[:min(len(data), 40)])
		}
		i++
		return nil
	})
	return b.String(), true
}
