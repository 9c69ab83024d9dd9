package commands

import "math/bits"

// maxmemory-clients: when the buffers of all clients together take more than that, the largest clients are dropped until
// they do not. CLIENT NO-EVICT exempts a client, though it counts; replicas and masters do not even count.
//
// Each client's share is noted when it was served and when it was pushed to; a sum above the limit is only a reason to
// measure all clients anew, since output that has left meanwhile makes the sum too large.

// clientsLimit is maxmemory-clients in bytes; 0 for none.
func (s *Server) clientsLimit() int64 {
	n := s.V.MaxmemoryClients
	if n < 0 { // percent of maxmemory
		return int64(float64(s.V.Maxmemory) * float64(-n) / 100)
	}
	return n
}

// counts tells whether the client's memory counts.
func (c *Client) counts() bool {
	return c.flags&(flagReplicaConn|flagMaster|flagInternal|flagClosed) == 0
}

// noVictimPause is how long in ms, after nobody was left that could be dropped, nobody is looked for.
const noVictimPause = 100

const (
	subscriptionSize = 96 // of a channel or pattern, beside its name, bytes
	watchedSize      = 80
)

// memory is what a client takes, bytes.
func (c *Client) memory() int64 {
	n := int64(clientFixedSize + len(c.name) + len(c.libName) + len(c.libVer))
	if c.reader != nil {
		n += int64(c.reader.BufferCap())
	}
	if c.conn != nil {
		n += int64(c.conn.Pending())
	}
	if c.multi != nil {
		n += c.multi.bytes
	}
	if c.subs != nil {
		n += subscriptionSize * int64(len(c.subs.channels.list)+len(c.subs.patterns.list)+len(c.subs.shard.list))
	}
	n += watchedSize * int64(len(c.watch))
	for _, a := range c.held {
		n += int64(cap(a))
	}
	return n
}

// account notes what a client takes, if there is a limit.
func (s *Server) account(c *Client) {
	if s.clientsMax == 0 {
		return
	}
	n := int64(0)
	if c.counts() {
		n = c.memory()
	}
	s.clientsSum += n - c.counted
	c.counted = n
}

// afterServing accounts for a client whose commands have run. Replies that wait to be written would count twice over, so they
// are written first.
func (s *Server) afterServing(c *Client) {
	if s.clientsMax == 0 || c.conn == nil || c.flags&flagClosed != 0 {
		return
	}
	if c.serving && len(c.out) > 0 {
		c.out = c.conn.Flush(c.out)
	}
	s.account(c)
	s.evictClients()
}

// memoryBucket is the row of DEBUG CLIENT-EVICTION for a client of n bytes.
func memoryBucket(n int64) int {
	return min(max(bits.Len64(uint64(n))-firstMemoryBucket, 0), memoryBuckets-1)
}

// evictClients drops the largest clients while all together are above the limit.
func (s *Server) evictClients() {
	if s.clientsMax == 0 || s.clientsSum <= s.clientsMax || s.now < s.noVictimUntil {
		return
	}
	var bucket [memoryBuckets][]*Client
	sum := int64(0)
	for c := s.clients.head; c != nil; c = c.next {
		s.account(c)
		sum += c.counted
	}
	s.clientsSum = sum
	if sum <= s.clientsMax {
		return
	}
	for c := s.clients.head; c != nil; c = c.next {
		if c.counted > 0 && c.flags&flagNoEvict == 0 {
			i := memoryBucket(c.counted)
			bucket[i] = append(bucket[i], c)
		}
	}
	for i := memoryBuckets - 1; i >= 0; i-- {
		for _, c := range bucket[i] {
			if s.clientsSum <= s.clientsMax {
				return
			}
			s.Host.Logf(LogNotice, "Evicting client: %s", s.describeClient(c))
			s.Stats.EvictedClients++
			s.clientsSum -= c.counted
			c.counted = 0
			c.flags |= flagCloseAfter // no more commands
			c.out = c.out[:0]
			c.conn.Close()
		}
	}
	if s.clientsSum > s.clientsMax {
		s.noVictimUntil = s.now + noVictimPause
		s.Host.Logf(LogWarning, "Over client maxmemory after evicting all evictable clients")
	}
}

// clientsLimitChanged follows maxmemory-clients and maxmemory.
func (s *Server) clientsLimitChanged() {
	s.clientsMax = s.clientsLimit()
	s.clientsSum, s.noVictimUntil = 0, 0
	for c := s.clients.head; c != nil; c = c.next {
		c.counted = 0
	}
	if s.clientsMax == 0 {
		return
	}
	for c := s.clients.head; c != nil; c = c.next {
		s.account(c)
	}
	s.evictClients()
}
