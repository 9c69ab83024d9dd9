package commands

import (
	"fmt"
	"math"
	"strings"
)

// How fresh a replica's data is, measured and not guessed.
//
//	master's offset      ─────────────────────────●  probe: at the time of the question, at most this
//	received                         ●──●             each byte with the time of its arrival
//	applied              ────────────●                what readers see
//
// The data is known to have been the master's, whole, at one moment at least, the
// *confirmed* time; its age is the staleness. With a probe that is exact: the master
// is asked for its offset over a connection of its own, and once that offset is
// applied, the data has all that the master had when the question was sent. Without
// one the arrival of bytes has to do: all that came up to a moment is applied, so the
// data is as it was sent then. A master that has nothing to say sends a PING every
// repl-ping-replica-period (10 s) and looks the same as one that stalls, which is why
// a limit in milliseconds turns the probe on.

// freshness is what the link and the probe tell. Times are Host.Nanos, 0 for none.
type freshness struct {
	received  int64 // offset of the last byte that arrived
	lastIO    int64 // arrival of the last byte
	upSince   int64 // the link delivers the stream since
	oldest    int64 // arrival of the oldest byte that is not applied
	confirmed int64 // when the data was the master's, by a probe
	// probes have their answer, and wait until its offset is applied; oldest first.
	probes       []probe
	masterOffset int64 // latest answer
	rtt          int64 // ns, of it
	working      bool  // the master answers probes
	failure      string
	asked        bool // a probe is under way
	armed        bool // a timer for the next one runs
}

// probe is one answered question for the master's offset.
type probe struct{ at, offset int64 }

// maxProbes bounds the answers that wait; when a replica is far behind, the oldest
// ones are what counts, so the newest gives way.
const maxProbes = 256

// Freshness is how far the data is behind the master. On a server without a master all
// is 0.
type Freshness struct {
	LagBytes  int64 // of the stream, known of and not applied
	LagMillis int64 // how long the oldest of them has been known of; 0 when caught up
	// StalenessMillis is the time since the data was last known to be the master's;
	// -1 if it never was.
	StalenessMillis int64
	Probe           string // off, ok, or why it does not work
	ProbeMicros     int64  // round trip of the last probe
}

// StreamProgress tells what the link has received and what of it is applied: the
// offset and the arrival of the last byte, and the arrival of the oldest byte
// that is not applied, 0 for none (Host.Nanos). The offset in Repl is up to date.
func (s *Server) StreamProgress(received, lastIO, oldest int64) {
	f := &s.fresh
	f.received, f.lastIO, f.oldest = received, lastIO, oldest
	if len(f.probes) != 0 {
		s.confirmProbes()
	}
}

// confirmProbes takes the answers whose offset is applied by now.
func (s *Server) confirmProbes() {
	f := &s.fresh
	n := 0
	for n < len(f.probes) && f.probes[n].offset <= s.Repl.Offset {
		f.confirmed = max(f.confirmed, f.probes[n].at)
		n++
	}
	f.probes = append(f.probes[:0], f.probes[n:]...)
}

// NewHistory tells that the data belongs to another history from now on, as it was
// at a time (Host.Nanos) or later.
func (s *Server) NewHistory(at int64) {
	f := &s.fresh
	f.probes, f.masterOffset = f.probes[:0], 0
	f.lastIO, f.oldest, f.received = at, 0, s.Repl.Offset
	s.OffsetMoved()
}

// probePeriod is the time between probes, ms; 0 for none.
func (s *Server) probePeriod() int64 {
	if s.V.LagProbe > 0 {
		return int64(s.V.LagProbe)
	}
	if s.V.MaxStaleness > 0 {
		return min(max(int64(s.V.MaxStaleness)/4, 10), 1000)
	}
	return 0
}

// armProbe makes sure that a timer for the next probe runs, if there is to be one.
func (s *Server) armProbe() {
	f := &s.fresh
	period := s.probePeriod()
	if f.armed || period == 0 || !s.following || s.Redirect == nil {
		return
	}
	f.armed = true
	s.Host.After(period*1e6, func() {
		f.armed = false
		s.sendProbe()
		s.armProbe()
	})
}

// sendProbe asks the master for its offset.
func (s *Server) sendProbe() {
	f := &s.fresh
	if f.asked || !s.following || s.probePeriod() == 0 {
		return
	}
	f.asked = true
	at := s.Host.Nanos()
	s.Redirect.Do(&RedirectCall{Proto: 2, Wire: rawPing, Replies: 1, Offset: true, Done: func(res RedirectResult) {
		f.asked = false
		s.probed(at, res)
	}})
}

// probed takes the answer to a probe sent at a time.
func (s *Server) probed(at int64, res RedirectResult) {
	f := &s.fresh
	failure := ""
	switch {
	case res.Err != nil:
		failure = oneLine(res.Err)
		if strings.HasPrefix(failure, "the master refused ") {
			f.working = false
		}
	case res.Offset < 0:
		failure = "the master does not tell its offset (INFO replication)"
		f.working = false
	case !s.history(res.ReplID, res.Offset):
		failure = "the master has another history"
	default:
		f.working = true
		f.masterOffset = res.Offset
		f.rtt = s.Host.Nanos() - at
		if len(f.probes) == maxProbes {
			f.probes = f.probes[:maxProbes-1]
		}
		f.probes = append(f.probes, probe{at, res.Offset})
		s.confirmProbes()
	}
	if failure != f.failure {
		f.failure = failure
		if failure != "" {
			s.Host.Logf(LogWarning, "The lag probe fails: %s", failure)
		} else {
			s.Host.Logf(LogNotice, "The lag probe works")
		}
	}
}

// probing tells whether the probe is what the staleness is measured by.
func (s *Server) probing() bool { return s.fresh.working && s.probePeriod() != 0 }

// staleness is the time since the data was last known to be the master's, ns.
func (s *Server) staleness(now int64) int64 {
	f := &s.fresh
	at := f.lastIO
	switch {
	case s.probing():
		at = f.confirmed
	case f.oldest != 0:
		at = f.oldest
	}
	if at == 0 {
		return math.MaxInt64
	}
	return max(now-at, 0)
}

// lagBytes is how much of the stream is known of and not applied.
func (s *Server) lagBytes() int64 {
	return max(s.fresh.received-s.Repl.Offset, s.fresh.masterOffset-s.Repl.Offset, 0)
}

// Freshness reports how far the data is behind the master. Loop goroutine.
func (s *Server) Freshness() Freshness {
	if !s.following {
		return Freshness{Probe: "off"}
	}
	f := &s.fresh
	now := s.Host.Nanos()
	r := Freshness{LagBytes: s.lagBytes(), StalenessMillis: -1, Probe: "off", ProbeMicros: f.rtt / 1000}
	since := f.oldest
	if len(f.probes) > 0 && (since == 0 || f.probes[0].at < since) {
		since = f.probes[0].at
	}
	if since != 0 {
		r.LagMillis = max(now-since, 0) / 1e6
	}
	if st := s.staleness(now); st != math.MaxInt64 {
		r.StalenessMillis = st / 1e6
	}
	switch {
	case s.probePeriod() == 0:
	case f.failure != "":
		r.Probe = f.failure
	case f.working:
		r.Probe = "ok"
	default:
		r.Probe = "starting"
	}
	return r
}

// limitsStaleness tells whether reads may have to be refused.
func (s *Server) limitsStaleness() bool { return s.V.MaxStaleness > 0 || s.V.MaxStalenessBytes > 0 }

// tooStale refuses a read when the data may be older than it is allowed to be.
func (s *Server) tooStale(c *Client, cmd *Command) bool {
	if !s.following || c.flags&(flagMaster|flagInternal) != 0 {
		return false
	}
	flags := cmd.Flags
	reads := flags&CmdReadonly != 0 && (cmd.hasKeys || flags&CmdStale == 0) || flags&CmdMayReplicate != 0 && cmd.hasKeys
	if cmd.isExec && c.multi != nil {
		reads = c.multi.flags&CmdReadonly != 0
	}
	if !reads {
		return false
	}
	text, too := s.staleText()
	if !too {
		return false
	}
	s.Stats.StaleRefused++
	return !s.refuse(c, text)
}

// infoFreshness is the part of INFO replication about lag.
func (s *Server) infoFreshness(b *strings.Builder) {
	f := s.Freshness()
	line(b, "master_lag_bytes", f.LagBytes)
	line(b, "master_lag_ms", f.LagMillis)
	line(b, "master_staleness_ms", f.StalenessMillis)
	line(b, "master_lag_probe", strings.Map(safeInfoChar, f.Probe))
	line(b, "master_lag_probe_usec", f.ProbeMicros)
	line(b, "stale_reads_refused", s.Stats.StaleRefused)
	line(b, "master_clock_behind_max_ms", s.clockAhead())
}

// waitoffsetCommand is REPLICA WAITOFFSET [replid] offset timeout-ms: it answers the
// applied offset once that is at least the one asked for.
func waitoffsetCommand(c *Client) {
	s := c.srv
	at, id := 2, ""
	if len(c.args) > 5 {
		c.addReplyErrorSyntax()
		return
	}
	if len(c.args) == 5 {
		at, id = 3, c.arg(2)
	}
	offset, ok := c.longArg(at, "")
	if !ok {
		return
	}
	deadline, ok := c.timeoutArg(at+1, false)
	if !ok {
		return
	}
	if offset < 0 {
		c.addReplyError("offset is negative")
		return
	}
	if !s.history(id, offset) {
		c.addReplyError(errOtherHistory)
		return
	}
	if s.reached(id, offset) {
		c.addReplyLongLong(s.Repl.Offset)
		return
	}
	late := func(c *Client) {
		c.addReplyError(fmt.Sprintf("-TIMEOUT Offset %d is not applied yet, the data is at %d.", offset, s.Repl.Offset))
	}
	if c.flags&flagDenyBlocking != 0 || c.conn == nil {
		late(c)
		return
	}
	if id == "" {
		id = s.Repl.ID // an offset of another history would mean nothing
	}
	b := &blockedState{cmd: c.cmd, deadline: deadline, onTimeout: late}
	b.wait = &offsetWait{id: id, offset: offset, fn: func(applied bool) {
		c.unblock(func() {
			if applied {
				c.addReplyLongLong(s.Repl.Offset)
			} else {
				c.addReplyError(errOtherHistory)
			}
		})
	}}
	s.waitOffset(b.wait)
	c.block(b)
}

const errOtherHistory = "-OTHERHISTORY The data belongs to another replication history than the offset."

func replicaHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"WAITOFFSET [<replid>] <offset> <timeout-ms>",
		"    Wait until the replica has applied its master's stream up to an offset, and",
		"    answer the applied offset. A timeout of 0 waits for ever.",
	})
}

// offsetWait is somebody who goes on once an offset of a history is applied.
type offsetWait struct {
	id     string // replication id, "" for the present history
	offset int64
	due    int64 // unix ms, 0 never
	fn     func(applied bool)
}

// reached tells whether the data has everything up to an offset of a history.
func (s *Server) reached(id string, offset int64) bool {
	return s.history(id, offset) && s.Repl.Offset >= offset
}

// history tells whether an offset belongs to the data's past or future.
func (s *Server) history(id string, offset int64) bool {
	return id == "" || id == s.Repl.ID || id == s.Repl.ID2 && id != ZeroReplID && offset < s.Repl.SecondOffset
}

// waitOffset calls w.fn later, on the loop.
func (s *Server) waitOffset(w *offsetWait) {
	s.offsetWaits = append(s.offsetWaits, w)
}

// forgetWait takes a wait back.
func (s *Server) forgetWait(w *offsetWait) {
	for i, x := range s.offsetWaits {
		if x == w {
			s.offsetWaits = append(s.offsetWaits[:i], s.offsetWaits[i+1:]...)
			return
		}
	}
}

// OffsetMoved is called when the applied offset, or the history, has changed. It
// costs a comparison when nobody waits.
func (s *Server) OffsetMoved() {
	if len(s.offsetWaits) != 0 {
		s.endOffsetWaits(s.Host.UnixMilli())
	}
}

// endOffsetWaits lets those go on whose offset is reached or whose time is up.
func (s *Server) endOffsetWaits(now int64) {
	var over []*offsetWait
	kept := s.offsetWaits[:0]
	for _, w := range s.offsetWaits {
		if s.reached(w.id, w.offset) || !s.history(w.id, w.offset) && w.due == 0 || w.due != 0 && now > w.due {
			over = append(over, w)
		} else {
			kept = append(kept, w)
		}
	}
	clear(s.offsetWaits[len(kept):])
	s.offsetWaits = kept
	for _, w := range over {
		w.fn(s.reached(w.id, w.offset))
	}
}
