package masterlink

import (
	"fmt"
	"io"

	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// payloadReader gives the bytes of the payload, and nothing else, to the loader. Reads of
// a decent size go from the socket straight into the loader's buffer.
type payloadReader struct {
	s      *session
	handed int64 // payload bytes given out
	ended  bool  // the machine has seen the payload's end
	err    error
}

// Read implements io.Reader; io.EOF means that the payload ended where it should.
func (r *payloadReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.read(p)
	r.handed += int64(n)
	l := r.s.l
	l.syncRead.Store(r.handed)
	l.syncIO.Store(l.lastIO.Load())
	if err != nil {
		r.err = err
		if n > 0 {
			err = nil // told by the next call
		}
	}
	return n, err
}

func (r *payloadReader) read(p []byte) (int, error) {
	s := r.s
	for {
		if r.ended {
			return 0, io.EOF
		}
		// What an earlier read left over (the header's read, mostly).
		if len(s.rest) > 0 || s.m.Remaining() == 0 {
			n, ev, err := s.m.Step(s.l.cfg.Clock(), s.rest[:min(len(s.rest), len(p))])
			s.rest = s.rest[n:]
			if err != nil {
				return 0, err
			}
			switch ev.Kind {
			case replproto.EventPayloadEnd:
				r.ended = true
			case replproto.EventData:
				return copy(p, ev.Data), nil
			}
			continue
		}
		held := s.m.Held()
		if len(p)-held < 4096 {
			n, err := s.read(s.in)
			if err != nil {
				return 0, err
			}
			s.rest = s.in[:n]
			continue
		}
		if n, err := r.readInto(p, held); n > 0 || err != nil {
			return n, err
		}
	}
}

// readInto reads into p after a gap of held bytes and lets the machine sort out in place
// what is payload. Bytes that the machine held back at the seam come first; there are at
// most held of them beyond what was consumed, so the write position never overtakes the
// unread input.
func (r *payloadReader) readInto(p []byte, held int) (int, error) {
	s := r.s
	room := p[held:]
	if left := s.m.Remaining(); left >= 0 {
		room = room[:min(int64(len(room)), left)]
	}
	n, err := s.read(room)
	if err != nil {
		return 0, err
	}
	in := room[:n]
	w := 0
	for len(in) > 0 {
		n, ev, err := s.m.Step(s.l.cfg.Clock(), in)
		in = in[n:]
		if err != nil {
			return w, err
		}
		switch ev.Kind {
		case replproto.EventPayloadEnd:
			r.ended = true
			s.rest = append([]byte(nil), in...)
			return w, nil
		case replproto.EventData:
			if &ev.Data[0] == &p[w] {
				w += len(ev.Data)
			} else {
				w += copy(p[w:], ev.Data)
			}
		}
	}
	return w, nil
}

// finish verifies that the payload ends with the RDB, whose length in bytes the decoder
// found to be rdb (0: it does not say).
func (r *payloadReader) finish(rdb int64) error {
	s := r.s
	marked := s.m.Remaining() < 0
	if rdb > 0 && r.handed > rdb {
		return r.mismatch(marked, rdb)
	}
	var p [64]byte
	for !r.ended {
		if left := s.m.Remaining(); left > 0 {
			return s.fail(r.handed, fmt.Sprintf("the master announced %d bytes, and the RDB ended after %d", r.handed+left, r.handed))
		}
		n, err := r.Read(p[:])
		if n > 0 {
			return r.mismatch(marked, r.handed-int64(n))
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

func (r *payloadReader) mismatch(marked bool, rdb int64) error {
	if marked {
		return r.s.fail(rdb, fmt.Sprintf("the RDB ended after %d bytes, and the end mark does not follow it", rdb))
	}
	return r.s.fail(rdb, fmt.Sprintf("the RDB ended after %d bytes, and the payload goes on", rdb))
}

func (s *session) fail(offset int64, msg string) error {
	return &replproto.Error{Phase: replproto.PhasePayload, Offset: offset, Kind: replproto.KindProtocol, Msg: msg}
}
