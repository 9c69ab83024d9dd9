package masterlink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// session is one connection to the master. All of it but close belongs to the link
// goroutine.
type session struct {
	l   *Link
	cfg Config
	nc  net.Conn
	m   *replproto.Replica

	in   []byte // buffer of the handshake
	rest []byte // received and not yet consumed; a view of in, or own memory

	asked   Resume
	upAt    int64 // Clock time at which the stream began, 0: never
	full    bool  // by a full sync
	corrupt bool  // dropped by the host

	armed     int64 // deadline set on the socket, Clock time
	w         *writer
	closeOnce sync.Once
	abandoned bool // SYNC fallback: nothing is acknowledged
}

// close makes every read and write of the connection fail. Any goroutine.
func (s *session) close() {
	s.closeOnce.Do(func() { _ = s.nc.Close() })
}

// run lives through the connection and returns why it ended.
func (s *session) run() error {
	l := s.l
	var ok bool
	if s.asked, ok = l.resumePoint(); !ok {
		return l.ctx.Err()
	}
	if err := s.dial(); err != nil {
		return err
	}
	unhook := context.AfterFunc(l.ctx, s.close)
	defer unhook()
	l.mu.Lock()
	l.current, l.dropErr = s, nil
	l.mu.Unlock()

	err := s.follow()

	s.close()
	if s.w != nil {
		s.w.join()
		var e *replproto.Error
		if werr := s.w.err; werr != nil && errors.Is(err, net.ErrClosed) && errors.As(err, &e) {
			// The writer closed the socket under the reader: its error is the cause.
			err = &replproto.Error{Phase: e.Phase, Offset: e.Offset, Kind: replproto.KindLost,
				Msg: fmt.Sprintf("writing to the master: %v", werr), Cause: werr}
		}
	}
	l.mu.Lock()
	if l.dropErr != nil {
		err = l.dropErr
		s.corrupt = true
	}
	l.current = nil
	l.mu.Unlock()
	return err
}

// worthwhile is how long a link has to hold to be called established, so that its loss
// is answered by an attempt at once. A full sync has to hold longer: a link that dies soon
// after each one would otherwise ask the master for one after the other.
func (s *session) worthwhile() time.Duration {
	if s.full {
		return s.cfg.Backoff.Max
	}
	return s.cfg.Backoff.Min
}

func (s *session) dial() error {
	l := s.l
	l.setState(Change{State: StateConnecting})
	network, addr := s.cfg.network()
	l.cfg.Logf(Notice, "Connecting to MASTER %s", s.cfg.Addr)
	ctx, cancel := l.ctx, context.CancelFunc(func() {})
	if s.cfg.ConnectTimeout > 0 {
		ctx, cancel = context.WithTimeout(l.ctx, s.cfg.ConnectTimeout)
	}
	defer cancel()
	nc, err := s.cfg.Dial(ctx, network, addr)
	if err != nil {
		e := &replproto.Error{Phase: replproto.PhaseConnect, Kind: replproto.KindLost, Msg: err.Error(), Cause: err}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
			e.Kind = replproto.KindTimeout
		}
		return e
	}
	s.nc = nc
	return nil
}

// follow runs the machine from the handshake to the end of the stream.
func (s *session) follow() error {
	l := s.l
	l.setState(Change{State: StateHandshake})
	s.in = make([]byte, 16<<10)
	s.m = replproto.NewReplica(s.cfg.machine(s.asked))
	s.m.Start(l.cfg.Clock())

	info := SyncInfo{Size: -1}
	for {
		ev, err := s.step()
		if err != nil {
			return err
		}
		switch ev.Kind {
		case replproto.EventNote:
			l.cfg.Logf(Notice, "%s", ev.Text)
		case replproto.EventFullSync:
			if ev.Text != "" {
				l.cfg.Logf(Notice, "%s", ev.Text)
			}
			if s.asked.ReplID != "" {
				l.denied.Add(1)
			}
			l.cfg.Logf(Notice, "Full resync from master: %s:%d", ev.ReplID, ev.Offset)
			info.ReplID, info.Offset = ev.ReplID, ev.Offset
			s.abandoned = ev.ReplID == ""
			s.full = true
			l.syncRead.Store(0)
			l.syncTotal.Store(-1)
			l.syncIO.Store(l.cfg.Clock())
			l.setState(Change{State: StateSync, Info: info})
		case replproto.EventPayload:
			info.Size, info.Marked = ev.Size, ev.Size < 0
			l.syncTotal.Store(ev.Size)
			l.setState(Change{State: StateSync, Info: info})
			if err := s.fullSync(info); err != nil {
				return err
			}
			l.fullSyncs.Add(1)
			return s.stream(max(info.Offset, 0))
		case replproto.EventContinue:
			l.partials.Add(1)
			l.cfg.Logf(Notice, "Successful partial resynchronization with master at offset %d", ev.Offset)
			if ev.ReplID != "" {
				l.cfg.Logf(Notice, "Master replication ID changed to %s", ev.ReplID)
			}
			l.applied.Store(ev.Offset)
			l.host.Post(func() {
				if !l.stopped.Load() {
					l.host.Continue(ev.ReplID, ev.Offset)
				}
			})
			return s.stream(ev.Offset)
		}
	}
}

// step takes the machine to its next event; it writes what the machine wants to send and
// reads when the input is used up.
func (s *session) step() (replproto.Event, error) {
	for {
		n, ev, err := s.m.Step(s.l.cfg.Clock(), s.rest)
		s.rest = s.rest[n:]
		if werr := s.send(s.m.Output()); err == nil && werr != nil {
			return ev, s.m.Closed(werr)
		}
		if err != nil || ev.Kind != replproto.EventNone {
			return ev, err
		}
		if len(s.rest) > 0 {
			continue
		}
		n, err = s.read(s.in)
		if err != nil {
			return ev, err
		}
		s.rest = s.in[:n]
	}
}

// send writes in the handshake, when there is no writer yet.
func (s *session) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if t := cmp.Or(s.cfg.WriteTimeout, s.cfg.HandshakeTimeout); t > 0 {
		_ = s.nc.SetWriteDeadline(time.Now().Add(t))
	}
	_, err := s.nc.Write(p)
	return err
}

// read reads some bytes, and turns a silence that is too long and a closed socket into
// the machine's error. The deadline on the socket is moved only when it fires or the phase
// changes, not for each read.
func (s *session) read(p []byte) (int, error) {
	clock := s.l.cfg.Clock
	s.m.Wait(clock())
	for {
		due := s.m.Deadline()
		if due != s.armed && (due == 0 || s.armed == 0 || due < s.armed || clock() >= s.armed) {
			s.arm(due)
		}
		n, err := s.nc.Read(p)
		now := clock()
		if n > 0 {
			s.l.lastIO.Store(now)
			s.l.bytes.Add(int64(n))
			return n, nil
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			if errors.Is(err, io.EOF) {
				err = errors.New("the master closed the connection")
			}
			return 0, s.m.Closed(err)
		}
		if err := s.m.Tick(now); err != nil {
			return 0, err
		}
		s.arm(s.m.Deadline())
	}
}

func (s *session) arm(due int64) {
	s.armed = due
	t := time.Time{}
	if due != 0 {
		t = time.Now().Add(time.Duration(due-s.l.cfg.Clock()) + time.Millisecond)
	}
	_ = s.nc.SetReadDeadline(t)
}

// fullSync loads the payload into a new keyspace and has it installed.
func (s *session) fullSync(info SyncInfo) error {
	l := s.l
	s.w = startWriter(s)
	s.w.load()
	r := &payloadReader{s: s}
	data, err := l.host.LoadRDB(r, info)
	if err != nil {
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return r.err // the loader only passes on what the socket said
		}
		return &replproto.Error{Phase: replproto.PhasePayload, Offset: r.handed, Kind: replproto.KindProtocol,
			Msg: fmt.Sprintf("loading the RDB: %v", err), Cause: err}
	}
	if err := r.finish(data.Bytes); err != nil {
		l.host.Discard(data)
		return err
	}
	l.applied.Store(info.Offset)
	if !l.install(data, info) {
		return l.ctx.Err()
	}
	l.cfg.Logf(Notice, "MASTER <-> REPLICA sync: finished, %d bytes loaded", data.Bytes)
	return nil
}

// stream reads the command stream and hands it to the loop until the link ends.
func (s *session) stream(offset int64) error {
	l := s.l
	if s.w == nil {
		s.w = startWriter(s)
	}
	if s.abandoned {
		s.w.silence()
	} else {
		s.w.stream()
	}
	s.upAt = l.cfg.Clock()
	l.setState(Change{State: StateConnected, Full: s.full})
	for {
		var c *Chunk
		select {
		case <-l.pool.free:
			c = l.pool.take()
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
		if c.buf == nil {
			c.buf = make([]byte, l.cfg.ChunkSize)
		}
		var n int
		if len(s.rest) > 0 {
			n = copy(c.buf, s.rest)
			s.rest = s.rest[n:]
		} else {
			var err error
			if n, err = s.read(c.buf); err != nil {
				c.Release()
				return err
			}
		}
		if _, _, err := s.m.Step(l.cfg.Clock(), c.buf[:n]); err != nil {
			c.Release()
			return err
		}
		c.Data, c.Offset, c.At = c.buf[:n], offset, l.lastIO.Load()
		offset += int64(n)
		l.host.Post(c.deliver)
	}
}
