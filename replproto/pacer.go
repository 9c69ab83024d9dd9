package replproto

import "strconv"

// usualBeat is how often a replica makes itself heard, in nanoseconds. The pauses between
// the first ACKs of a stream grow to it from eager.
const (
	usualBeat = int64(1e9)
	eager     = int64(10e6)
)

// Pacer decides what a replica writes to its master after the handshake, and when:
// while the payload is loaded an empty line at most once a second, then REPLCONF ACK
// once a second and whenever asked. Nothing else is ever written.
//
// The first ACKs come quickly one after the other. A diskless master starts its stream
// at an ACK that reaches it after it has seen its child end, up to 100 ms after the
// payload's last byte. A replica that loads fast acknowledges earlier than that, in
// vain, and would then get nothing for a second.
//
// Times are monotonic nanoseconds. The zero value is silent.
type Pacer struct {
	// Beat is the time between two ACKs, or empty lines of a load, in nanoseconds; 0 is a second.
	Beat int64

	mode  paceMode
	last  int64 // time of the last beat
	pause int64 // until the next
}

func (c *Pacer) beat() int64 {
	if c.Beat > 0 {
		return c.Beat
	}
	return usualBeat
}

type paceMode uint8

const (
	paceSilent paceMode = iota
	paceLoading
	paceAck
)

// Load starts the keepalives of a load.
func (c *Pacer) Load(now int64) { c.mode, c.last, c.pause = paceLoading, now, c.beat() }

// Silence stops all beats: the link of a SYNC fallback acknowledges nothing.
func (c *Pacer) Silence() { c.mode = paceSilent }

// Stream appends the first ACK to dst and starts the beat of ACKs. A master that sends
// its payload without a file starts the stream only on this ACK.
func (c *Pacer) Stream(now, offset int64, dst []byte) []byte {
	c.mode, c.last, c.pause = paceAck, now, min(eager, c.beat())
	return AppendAck(dst, offset)
}

// Next is the time of the next beat, or 0 when there is none.
func (c *Pacer) Next() int64 {
	if c.mode == paceSilent {
		return 0
	}
	return c.last + c.pause
}

// Tick appends what is due now, if anything. offset is the applied offset.
func (c *Pacer) Tick(now, offset int64, dst []byte) []byte {
	if c.mode == paceSilent || now < c.last+c.pause {
		return dst
	}
	c.last, c.pause = now, min(2*c.pause, c.beat())
	if c.mode == paceLoading {
		return append(dst, '\n')
	}
	return AppendAck(dst, offset)
}

// Asked appends the ACK that REPLCONF GETACK asks for; outside of the stream it appends
// nothing. offset is the applied offset before GETACK itself is counted.
func (c *Pacer) Asked(offset int64, dst []byte) []byte {
	if c.mode != paceAck {
		return dst
	}
	return AppendAck(dst, offset)
}

// AppendAck appends REPLCONF ACK offset.
func AppendAck(dst []byte, offset int64) []byte {
	var num [20]byte
	d := strconv.AppendInt(num[:0], offset, 10)
	dst = append(dst, "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$"...)
	dst = strconv.AppendInt(dst, int64(len(d)), 10)
	dst = append(dst, "\r\n"...)
	dst = append(dst, d...)
	return append(dst, "\r\n"...)
}
