package commands

// The vocabulary of the command table: what a command does to the server
// (Flags), which ACL categories hold it (Categories), which chapter of the
// documentation it stands in (Group), how it treats a key (KeyFlags) or a
// channel (ChannelFlags). Names and the order in which they are reported are
// part of the protocol: COMMAND INFO and COMMAND DOCS print them.

// Flags says how a command behaves. The gates of dispatch read nothing else.
type Flags uint64

const (
	CmdWrite                Flags = 1 << iota // may change the dataset
	CmdReadonly                               // only reads keys
	CmdDenyOOM                                // refused when memory is above maxmemory
	CmdModule                                 // comes from a module
	CmdAdmin                                  // administration
	CmdPubSub                                 // publish/subscribe
	CmdNoScript                               // may not be called from a script
	CmdBlocking                               // may block its client
	CmdLoading                                // allowed while a dataset is being loaded
	CmdStale                                  // allowed on a replica with stale data
	CmdSkipMonitor                            // never shown to MONITOR
	CmdSkipSlowlog                            // never entered in the slow log
	CmdAsking                                 // carries an implicit ASKING
	CmdFast                                   // O(1) or O(log N)
	CmdNoAuth                                 // allowed before authentication
	CmdMayReplicate                           // no write, and still may be sent to replicas
	CmdNoMandatoryKeys                        // may be called with no key at all
	CmdProtected                              // local connections only, unless configured
	CmdNoAsyncLoading                         // refused while old data is served during a load
	CmdNoMulti                                // refused inside a transaction
	CmdMovableKeys                            // derived: first/last/step do not tell all keys
	CmdAllowBusy                              // allowed while a script is overdue
	CmdTouchesArbitraryKeys                   // reads keys that its arguments do not name
	cmdUnqueued                               // runs at once inside of MULTI
)

// flagNames are the flags that COMMAND INFO reports, in its order. The
// others are internal.
var flagNames = [...]struct {
	flag Flags
	name string
}{
	{CmdWrite, "write"},
	{CmdReadonly, "readonly"},
	{CmdDenyOOM, "denyoom"},
	{CmdModule, "module"},
	{CmdAdmin, "admin"},
	{CmdPubSub, "pubsub"},
	{CmdNoScript, "noscript"},
	{CmdBlocking, "blocking"},
	{CmdLoading, "loading"},
	{CmdStale, "stale"},
	{CmdSkipMonitor, "skip_monitor"},
	{CmdSkipSlowlog, "skip_slowlog"},
	{CmdAsking, "asking"},
	{CmdFast, "fast"},
	{CmdNoAuth, "no_auth"},
	{CmdNoMandatoryKeys, "no_mandatory_keys"},
	{CmdNoAsyncLoading, "no_async_loading"},
	{CmdNoMulti, "no_multi"},
	{CmdMovableKeys, "movablekeys"},
	{CmdAllowBusy, "allow_busy"},
}

// Has reports whether any of the flags in mask is set.
func (f Flags) Has(mask Flags) bool { return f&mask != 0 }

// Names appends to dst the names of the set flags that COMMAND INFO shows,
// in its order.
func (f Flags) Names(dst []string) []string {
	for _, n := range flagNames {
		if f&n.flag != 0 {
			dst = append(dst, n.name)
		}
	}
	return dst
}

// Categories is a set of ACL categories.
type Categories uint32

const (
	CatKeyspace Categories = 1 << iota
	CatRead
	CatWrite
	CatSet
	CatSortedSet
	CatList
	CatHash
	CatString
	CatBitmap
	CatHyperLogLog
	CatGeo
	CatStream
	CatPubSub
	CatAdmin
	CatFast
	CatSlow
	CatBlocking
	CatDangerous
	CatConnection
	CatTransaction
	CatScripting
)

// categoryNames holds the name of bit i at index i; ACL CAT lists them in
// this order.
var categoryNames = [...]string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string",
	"bitmap", "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow",
	"blocking", "dangerous", "connection", "transaction", "scripting",
}

// CategoryNames returns the names of all ACL categories, without '@', in the
// order in which ACL CAT lists them. The caller must not change the result.
func CategoryNames() []string { return categoryNames[:] }

// CategoryByName returns the category with that name (any letter case,
// without '@'), or 0 if there is none.
func CategoryByName(name []byte) Categories {
	for i, n := range categoryNames {
		if equalFold(name, n) {
			return 1 << i
		}
	}
	return 0
}

// Names appends to dst the names of the categories in the set, without '@'.
func (c Categories) Names(dst []string) []string {
	for i, n := range categoryNames {
		if c&(1<<i) != 0 {
			dst = append(dst, n)
		}
	}
	return dst
}

// implicit adds the categories that follow from a command's flags. A command
// is either fast or slow. Scripts are kept out of @read: a read-only script
// is not a plain read.
func (c Categories) implicit(f Flags) Categories {
	if f.Has(CmdWrite) {
		c |= CatWrite
	}
	if f.Has(CmdReadonly) && c&CatScripting == 0 {
		c |= CatRead
	}
	if f.Has(CmdAdmin) {
		c |= CatAdmin | CatDangerous
	}
	if f.Has(CmdPubSub) {
		c |= CatPubSub
	}
	if f.Has(CmdBlocking) {
		c |= CatBlocking
	}
	if f.Has(CmdFast) {
		c |= CatFast
	}
	if c&CatFast == 0 {
		c |= CatSlow
	}
	return c
}

// Group is the chapter of the command reference that a command belongs to.
type Group uint8

const (
	GroupGeneric Group = iota
	GroupString
	GroupList
	GroupSet
	GroupSortedSet
	GroupHash
	GroupPubSub
	GroupTransactions
	GroupConnection
	GroupServer
	GroupScripting
	GroupHyperLogLog
	GroupCluster
	GroupGeo
	GroupStream
	GroupBitmap
)

var groupNames = [...]string{
	"generic", "string", "list", "set", "sorted-set", "hash", "pubsub",
	"transactions", "connection", "server", "scripting", "hyperloglog",
	"cluster", "geo", "stream", "bitmap",
}

// String returns the group's name as COMMAND DOCS reports it.
func (g Group) String() string { return groupNames[g] }

// DocFlags are remarks that only COMMAND DOCS reports.
type DocFlags uint8

const (
	DocDeprecated DocFlags = 1 << iota // superseded by another command
	DocSyscmd                          // spoken between servers, not by users
)

// Names appends the names of the set flags to dst.
func (f DocFlags) Names(dst []string) []string {
	if f&DocDeprecated != 0 {
		dst = append(dst, "deprecated")
	}
	if f&DocSyscmd != 0 {
		dst = append(dst, "syscmd")
	}
	return dst
}

// KeyFlags says what a command does with one of its keys. The first four
// speak of the stored entry and exclude each other; the next four speak of
// the user's data inside of it.
type KeyFlags uint16

const (
	KeyRO KeyFlags = 1 << iota // reads the entry
	KeyRW                      // changes the entry
	KeyOW                      // replaces the entry whatever it held
	KeyRM                      // removes the entry

	KeyAccess // gives out or copies data (a length or an existence is not data)
	KeyUpdate // changes data, the new value may depend on the old
	KeyInsert // adds data, touches nothing that was there
	KeyDelete // deletes data

	KeyNotKey        // only routed like a key
	KeyIncomplete    // the spec may miss keys
	KeyVariableFlags // the flags depend on the arguments
)

var keyFlagNames = [...]string{
	"RO", "RW", "OW", "RM", "access", "update", "insert", "delete",
	"not_key", "incomplete", "variable_flags",
}

// Names appends the names of the set flags to dst, in COMMAND INFO's order.
func (f KeyFlags) Names(dst []string) []string {
	for i, n := range keyFlagNames {
		if f&(1<<i) != 0 {
			dst = append(dst, n)
		}
	}
	return dst
}

// ChannelFlags says what a command does with the channels among its
// arguments; ACL channel rules read it.
type ChannelFlags uint8

const (
	ChannelPattern     ChannelFlags = 1 << iota // the arguments are patterns
	ChannelSubscribe                            // starts listening
	ChannelUnsubscribe                          // stops listening, always allowed
	ChannelPublish                              // sends
)
