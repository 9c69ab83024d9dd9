package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/glob"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// Publish and subscribe.
//
//	channels   name ──► clients in the order of their subscription
//	shard      the same for shard channels
//	patterns   pattern ──► compiled form and its clients
//
// A message is encoded once for each protocol version and appended to the
// output of every receiver; the loop sends it at the end of the turn.

type pubsub struct {
	channels map[string]*subscribers
	shard    map[string]*subscribers
	patterns map[string]*subscribers
	order    []*subscribers // patterns in the order in which they came into use; nil where one went out of use
	gone     int            // nils in order
	buf      [2][]byte
	count    int // of the clients that have a subscription
}

type subscribers struct {
	name    string
	pattern glob.Pattern
	at      int // of a pattern, in pubsub.order
	clients []*Client
}

// dropPattern takes a pattern out of order.
func (p *pubsub) dropPattern(sub *subscribers) {
	p.order[sub.at] = nil
	if p.gone++; p.gone <= len(p.order)/2 {
		return
	}
	kept := p.order[:0]
	for _, x := range p.order {
		if x != nil {
			x.at = len(kept)
			kept = append(kept, x)
		}
	}
	clear(p.order[len(kept):])
	p.order, p.gone = kept, 0
}

func newPubsub() pubsub {
	return pubsub{
		channels: make(map[string]*subscribers),
		shard:    make(map[string]*subscribers),
		patterns: make(map[string]*subscribers),
	}
}

func (p *pubsub) empty() bool { return len(p.channels) == 0 && len(p.patterns) == 0 }

// subscriptions are what one client listens to; nil for most clients.
type subscriptions struct {
	channels, patterns, shard nameSet
}

func (s *subscriptions) count() int {
	if s == nil {
		return 0
	}
	return len(s.channels.list) + len(s.patterns.list)
}

// nameSet is a set of names; most are small.
type nameSet struct {
	list  []string
	index map[string]int // places in list, once it is longer than indexFrom
}

const indexFrom = 16

// find returns the place of a name in the list, -1 for none.
func (s *nameSet) find(name []byte) int {
	if s.index != nil {
		if i, ok := s.index[string(name)]; ok {
			return i
		}
		return -1
	}
	for i, n := range s.list {
		if n == string(name) {
			return i
		}
	}
	return -1
}

// add adds a name that is not there.
func (s *nameSet) add(name string) {
	s.list = append(s.list, name)
	switch {
	case s.index != nil:
		s.index[name] = len(s.list) - 1
	case len(s.list) > indexFrom:
		s.index = make(map[string]int, 2*len(s.list))
		for i, n := range s.list {
			s.index[n] = i
		}
	}
}

// remove takes out the name at place i; the last one takes its place.
func (s *nameSet) remove(i int) {
	last := len(s.list) - 1
	if s.index != nil {
		delete(s.index, s.list[i])
		if i != last {
			s.index[s.list[last]] = i
		}
	}
	s.list[i] = s.list[last]
	s.list[last] = ""
	s.list = s.list[:last]
}

// subKind is one of the three ways to listen.
type subKind struct {
	subscribe, unsubscribe string // the words of the confirmations
	table                  func(p *pubsub) map[string]*subscribers
	list                   func(s *subscriptions) *nameSet
	count                  func(s *subscriptions) int
	pattern                bool
}

var (
	kindChannel = subKind{"subscribe", "unsubscribe",
		func(p *pubsub) map[string]*subscribers { return p.channels },
		func(s *subscriptions) *nameSet { return &s.channels },
		(*subscriptions).count, false}
	kindPattern = subKind{"psubscribe", "punsubscribe",
		func(p *pubsub) map[string]*subscribers { return p.patterns },
		func(s *subscriptions) *nameSet { return &s.patterns },
		(*subscriptions).count, true}
	kindShard = subKind{"ssubscribe", "sunsubscribe",
		func(p *pubsub) map[string]*subscribers { return p.shard },
		func(s *subscriptions) *nameSet { return &s.shard },
		func(s *subscriptions) int {
			if s == nil {
				return 0
			}
			return len(s.shard.list)
		}, false}
)

// subscribe adds names (args[1:]) to what the client listens to.
func (c *Client) subscribe(k *subKind) {
	if c.flags&flagDenyBlocking != 0 && (c.flags&flagExecuting == 0 || k == &kindShard) {
		c.addReplyError(upper([]byte(k.subscribe)) + " isn't allowed for a DENY BLOCKING client")
		return
	}
	if c.subs == nil {
		c.subs = &subscriptions{}
	}
	list, table := k.list(c.subs), k.table(&c.srv.pubsub)
	for _, a := range c.args[1:] {
		if list.find(a) < 0 {
			name := string(a)
			list.add(name)
			sub := table[name]
			if sub == nil {
				sub = &subscribers{name: name}
				if k.pattern {
					sub.pattern = glob.Compile([]byte(name))
					sub.at = len(c.srv.pubsub.order)
					c.srv.pubsub.order = append(c.srv.pubsub.order, sub)
				}
				table[name] = sub
			}
			sub.clients = append(sub.clients, c)
		}
		c.confirm(k.subscribe, a, k.count(c.subs))
	}
	c.listens(true)
}

// listens notes whether the client has a subscription.
func (c *Client) listens(on bool) {
	switch {
	case on && c.flags&flagPubSub == 0:
		c.flags |= flagPubSub
		c.srv.pubsub.count++
	case !on && c.flags&flagPubSub != 0:
		c.flags &^= flagPubSub
		c.srv.pubsub.count--
	}
}

// unsubscribe removes names (args[1:], or all) from what the client listens to.
func (c *Client) unsubscribe(k *subKind) {
	names := c.args[1:]
	if len(names) == 0 {
		var all []string
		if c.subs != nil {
			all = append(all, k.list(c.subs).list...)
		}
		for _, n := range all {
			c.srv.dropSubscription(c, k, n)
			c.confirm(k.unsubscribe, []byte(n), k.count(c.subs))
		}
		if len(all) == 0 {
			c.confirm(k.unsubscribe, nil, k.count(c.subs))
		}
	}
	for _, a := range names {
		if c.subs != nil {
			c.srv.dropSubscription(c, k, string(a))
		}
		c.confirm(k.unsubscribe, a, k.count(c.subs))
	}
	if c.subs.count() == 0 && kindShard.count(c.subs) == 0 {
		c.listens(false)
	}
}

func (c *Client) confirm(word string, name []byte, n int) {
	from := len(c.out)
	c.addReplyPushLen(3)
	c.addReplyBulkString(word)
	if name == nil {
		c.addReplyNull()
	} else {
		c.addReplyBulk(name)
	}
	c.addReplyLongLong(int64(n))
	c.passQuiet(from)
}

// dropSubscription ends one subscription of a client.
func (s *Server) dropSubscription(c *Client, k *subKind, name string) {
	list := k.list(c.subs)
	i := list.find([]byte(name))
	if i < 0 {
		return
	}
	list.remove(i)
	table := k.table(&s.pubsub)
	sub := table[name]
	for i, x := range sub.clients {
		if x == c {
			sub.clients = append(sub.clients[:i], sub.clients[i+1:]...)
			break
		}
	}
	if len(sub.clients) > 0 {
		return
	}
	delete(table, name)
	if k.pattern {
		s.pubsub.dropPattern(sub)
	}
}

// dropSubscriptions ends all subscriptions of a client, without a word.
func (s *Server) dropSubscriptions(c *Client) {
	if c.subs == nil {
		return
	}
	for _, k := range []*subKind{&kindChannel, &kindPattern, &kindShard} {
		for list := k.list(c.subs); len(list.list) > 0; {
			s.dropSubscription(c, k, list.list[len(list.list)-1])
		}
	}
	c.subs = nil
	c.listens(false)
}

// publish sends a message to the listeners of a channel and returns how many
// there were.
func (s *Server) publish(channel, message []byte) int {
	n := 0
	if sub := s.pubsub.channels[string(channel)]; sub != nil {
		n += s.deliver(sub, "message", "", channel, message)
	}
	for _, sub := range s.pubsub.order {
		if sub != nil && sub.pattern.Match(channel) {
			n += s.deliver(sub, "pmessage", sub.name, channel, message)
		}
	}
	return n
}

// shareFrom is the number of listeners from which they share one copy of a message.
const shareFrom = 3

// deliver sends a message to the listeners of one entry.
func (s *Server) deliver(sub *subscribers, word, pattern string, channel, message []byte) int {
	var made [2]bool
	var shared [2]Shared
	many := len(sub.clients) >= shareFrom
	for _, c := range sub.clients {
		i := c.proto - 2
		if !made[i] {
			made[i] = true
			b := s.pubsub.buf[i][:0]
			parts := 3
			if pattern != "" || word == "pmessage" {
				parts = 4
			}
			b = resp.AppendPush(b, c.proto, parts)
			b = resp.AppendBulkString(b, word)
			if parts == 4 {
				b = resp.AppendBulkString(b, pattern)
			}
			b = resp.AppendBulk(b, channel)
			b = resp.AppendBulk(b, message)
			s.pubsub.buf[i] = b
			if many {
				shared[i] = s.Host.Share(b)
			}
		}
		if many {
			c.pushShared(s.pubsub.buf[i], shared[i])
		} else {
			c.push(s.pubsub.buf[i])
		}
	}
	return len(sub.clients)
}

func subscribeCommand(c *Client)    { c.subscribe(&kindChannel) }
func unsubscribeCommand(c *Client)  { c.unsubscribe(&kindChannel) }
func psubscribeCommand(c *Client)   { c.subscribe(&kindPattern) }
func punsubscribeCommand(c *Client) { c.unsubscribe(&kindPattern) }
func ssubscribeCommand(c *Client)   { c.subscribe(&kindShard) }
func sunsubscribeCommand(c *Client) { c.unsubscribe(&kindShard) }

func publishCommand(c *Client) {
	c.addReplyLongLong(int64(c.srv.publish(c.args[1], c.args[2])))
	c.forcePropagation()
}

func spublishCommand(c *Client) {
	n := 0
	if sub := c.srv.pubsub.shard[string(c.args[1])]; sub != nil {
		n = c.srv.deliver(sub, "smessage", "", c.args[1], c.args[2])
	}
	c.forcePropagation()
	c.addReplyLongLong(int64(n))
}

func (c *Client) listChannels(table map[string]*subscribers) {
	if len(c.args) > 3 {
		c.addReplySubcommandSyntaxError()
		return
	}
	mark, n := c.deferredLen(), 0
	var p glob.Pattern
	if len(c.args) == 3 {
		p = glob.Compile(c.args[2])
	}
	for name := range table {
		if len(c.args) == 3 && !p.Match([]byte(name)) {
			continue
		}
		c.addReplyBulkString(name)
		n++
	}
	c.setDeferredArrayLen(mark, n)
}

func (c *Client) countListeners(table map[string]*subscribers) {
	c.addReplyArrayLen((len(c.args) - 2) * 2)
	for _, a := range c.args[2:] {
		c.addReplyBulk(a)
		n := 0
		if sub := table[string(a)]; sub != nil {
			n = len(sub.clients)
		}
		c.addReplyLongLong(int64(n))
	}
}

func pubsubChannelsCommand(c *Client)      { c.listChannels(c.srv.pubsub.channels) }
func pubsubShardchannelsCommand(c *Client) { c.listChannels(c.srv.pubsub.shard) }
func pubsubNumsubCommand(c *Client)        { c.countListeners(c.srv.pubsub.channels) }
func pubsubShardnumsubCommand(c *Client)   { c.countListeners(c.srv.pubsub.shard) }
func pubsubNumpatCommand(c *Client)        { c.addReplyLongLong(int64(len(c.srv.pubsub.patterns))) }

func pubsubHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"CHANNELS [<pattern>]", "    Answer the channels that have listeners.",
		"NUMPAT", "    Answer the number of patterns in use.",
		"NUMSUB [<channel> ...]", "    Answer the number of listeners of channels.",
		"SHARDCHANNELS [<pattern>]", "    Answer the shard channels that have listeners.",
		"SHARDNUMSUB [<shardchannel> ...]", "    Answer the number of listeners of shard channels.",
	})
}
