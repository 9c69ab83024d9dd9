// Package quicklist is Redis's quicklist: a list of any length as a chain of
// nodes, most of which hold many elements in one listpack.
//
//	List (in the record of the key)
//	┌───────┬──────┬───────┬───────┬──────┬───────┬──────┐
//	│ first │ last │ count │ nodes │ fill │ depth │ mark │
//	└───┬───┴──┬───┴───────┴───────┴──────┴───────┴──────┘
//	    │      └──────────────────────────────────────────────────┐
//	    ▼                                                         ▼
//	┌────────┐ next  ┌────────┐       ┌────────┐       ┌────────┐
//	│ node   │──────►│ node   │──────►│ node   │──────►│ node   │    24 bytes each
//	│ packed │◄──────│ lzf    │◄──────│ plain  │◄──────│ packed │
//	└───┬────┘  prev └───┬────┘       └───┬────┘       └───┬────┘
//	    ▼ data           ▼                ▼                ▼
//	 listpack       n:4 LZF of a      one big element   listpack
//	                listpack
//
// Nodes and what they hold are separate blocks of one arena. So nodes are small
// and lie close together, and a walk to the middle of a long list reads them and
// nothing else; and a listpack has a block of a size for which there is a class.
//
// # When a node is full
//
// fill is list-max-listpack-size: if positive, the number of elements of a node
// (and 8 KB at most), else -1 to -5 for 4, 8, 16, 32 or 64 KB. An element that
// is larger than that has a node of its own, still as a listpack; one of
// Env.Large bytes or more (1 GiB unless a test lowers it) is kept plain, because
// a listpack cannot grow without bound. All these rules, and those that split and
// merge nodes, are Redis's, so that a list that saw the same commands has the
// same nodes, and DUMP the same bytes.
//
// # Compression
//
// With a depth (list-compress-depth) above 0, nodes that are further than depth
// from both ends are compressed with LZF, if they have 48 bytes or more and it
// saves 8 or more. They are read by decompressing into a buffer of the Env, and
// changed by decompressing them for good and compressing them again afterwards.
// A node that did not compress is not tried again until it changes.
//
// fill and depth are those of the time at which the list was made.
//
// # Conventions
//
// A List has no Go pointers and may be moved with the record that it is in; its
// address needs no alignment. Indexes count from 0. What functions return as
// []byte is a view of the arena, or of the Env's buffer, or of the caller's
// IntBuf, valid until the next call with the same one. What is added must not be
// a view of the same list. One goroutine owns the arena and the Env.
package quicklist

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/lzf"
)

const (
	// HeadSize is the size of a List in bytes.
	HeadSize = int(unsafe.Sizeof(List{}))

	// DefaultLarge is the size from which an element has a plain node.
	DefaultLarge = 1 << 30

	nodeSize = int(unsafe.Sizeof(node{}))

	// safetyLimit is the size of a node whose fill is a number of elements.
	safetyLimit = 8192
	// entryOverhead is what an element is taken to cost beside its bytes when a
	// node is asked whether it has room.
	entryOverhead = 8
	// lpOverhead is what two listpacks have more than one, mergeOverhead what Redis
	// takes it to be when it asks whether two nodes may become one.
	lpOverhead    = listpack.EmptySize
	mergeOverhead = 11

	minCompress = 48 // smallest node that is compressed, bytes
	minGain     = 8  // bytes that compression must save
	lzfHead     = 4  // length of the compressed data in front of it

	maxFill  = 1<<15 - 1
	maxDepth = 1<<16 - 1
)

// List is the head of a quicklist. It lives in the arena, without alignment;
// Init makes a zeroed one usable.
type List struct {
	first, last uint64 // dict.Ref of nodes
	mark        uint64 // the node at which compaction goes on, 0 none
	count       uint64 // elements
	nodes       uint32
	fill        int16
	depth       uint16
}

// node is a member of the chain. Refs have 36 bits: their upper four are in high.
type node struct {
	next, prev, data uint32
	high             uint16 // bits 0-3 next, 4-7 prev, 8-11 data; 12 plain, 13 lzf, 14 tried
	sizeHigh         uint16
	size             uint32 // bytes of the listpack or element, uncompressed
	count            uint32 // elements
}

const (
	isPlain = 1 << 12
	isLZF   = 1 << 13
	isTried = 1 << 14 // compression was tried and does not pay
)

// Env is what a goroutine that works with quicklists has beside the arena: the
// settings for new lists, and storage for compression. The zero value with the
// settings filled in is ready.
type Env struct {
	// Fill is list-max-listpack-size, Depth list-compress-depth.
	Fill, Depth int
	// Large is the size in bytes from which an element has a plain node.
	Large int

	table *lzf.Table
	plain []byte // a decompressed node that is being read
	out   []byte // a node that was just compressed
}

func (n *node) nextRef() dict.Ref { return dict.Ref(n.next) | dict.Ref(n.high&0xf)<<32 }
func (n *node) prevRef() dict.Ref { return dict.Ref(n.prev) | dict.Ref(n.high>>4&0xf)<<32 }
func (n *node) dataRef() dict.Ref { return dict.Ref(n.data) | dict.Ref(n.high>>8&0xf)<<32 }

func (n *node) setNext(r dict.Ref) {
	n.next, n.high = uint32(r), n.high&^0xf|uint16(r>>32)
}

func (n *node) setPrev(r dict.Ref) {
	n.prev, n.high = uint32(r), n.high&^0xf0|uint16(r>>32)<<4
}

func (n *node) setData(r dict.Ref) {
	n.data, n.high = uint32(r), n.high&^0xf00|uint16(r>>32)<<8
}

func (n *node) length() int { return int(n.size) | int(n.sizeHigh)<<32 }

func (n *node) setLength(size int) {
	if size < 0 || size >= 1<<48 {
		panic(fmt.Sprintf("quicklist: node of %d bytes", size))
	}
	n.size, n.sizeHigh = uint32(size), uint16(size>>32)
	n.high &^= isTried
}

func (n *node) plain() bool { return n.high&isPlain != 0 }
func (n *node) lzf() bool   { return n.high&isLZF != 0 }

func at(a *dict.Arena, r dict.Ref) *node { return (*node)(a.Ptr(r)) }

// stored is the number of bytes in use of a node's block.
func (n *node) stored(a *dict.Arena) int {
	if n.lzf() {
		return lzfHead + int(binary.LittleEndian.Uint32(a.Bytes(n.dataRef(), lzfHead)))
	}
	return n.length()
}

// Init makes an empty list of a head, with the settings of env.
func (l *List) Init(env *Env) {
	*l = List{
		fill:  int16(max(min(env.Fill, maxFill), -len(nodeLimits))),
		depth: uint16(max(min(env.Depth, maxDepth), 0)),
	}
}

// Len is the number of elements.
func (l *List) Len() int { return int(l.count) }

// Nodes is the number of nodes.
func (l *List) Nodes() int { return int(l.nodes) }

// Fill is the list-max-listpack-size that the list was made with.
func (l *List) Fill() int { return int(l.fill) }

// nodeLimits are the sizes in bytes of a fill of -1, -2, ….
var nodeLimits = [...]int{4096, 8192, 16384, 32768, 65536}

// limit is the size of a full node in bytes; a positive fill may end it earlier.
func limit(fill int) int {
	if fill >= 0 {
		return safetyLimit
	}
	return nodeLimits[min(-fill, len(nodeLimits))-1]
}

// fits tells whether a node of size bytes and count elements is within fill.
func fits(fill, size, count int) bool {
	return size <= limit(fill) && (fill < 0 || count <= fill)
}

// Allows tells whether a listpack of size bytes with count elements may take an
// element of n bytes more.
func (env *Env) Allows(size, count, n int) bool {
	return n < env.Large && fits(env.Fill, size+n+entryOverhead, count+1)
}

// allows tells whether the node r, which may be 0, may take an element of n bytes
// more.
func (l *List) allows(a *dict.Arena, env *Env, r dict.Ref, n int) bool {
	if r == 0 || n >= env.Large {
		return false
	}
	x := at(a, r)
	return !x.plain() && fits(int(l.fill), x.length()+n+entryOverhead, int(x.count)+1)
}

// mergeable tells whether the nodes r and q may become one.
func (l *List) mergeable(a *dict.Arena, r, q dict.Ref) bool {
	if r == 0 || q == 0 {
		return false
	}
	x, y := at(a, r), at(a, q)
	return !x.plain() && !y.plain() && fits(int(l.fill), x.length()+y.length()-mergeOverhead, int(x.count+y.count))
}
