package eventloop

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"
)

// The queue against a plain slice, with pieces and steps of all sizes.
func TestOutQueueModel(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var q outQueue
		chunks := newChunks()
		var model []byte
		src := pattern(1 << 20)
		size := func() int { return rnd.IntN(1 << rnd.IntN(18)) }
		for range 400 {
			if rnd.IntN(2) == 0 {
				n := size()
				at := rnd.IntN(len(src) - n)
				b := append([]byte(nil), src[at:at+n]...)
				model = append(model, b...)
				if !q.add(b, &chunks) {
					clear(b) // not adopted: the caller goes on using it
				}
			} else if p := q.next(); len(p) > 0 {
				if !bytes.HasPrefix(model, p) {
					t.Fatalf("seed %d: the queue's next bytes are not the model's", seed)
				}
				n := min(size(), len(p))
				q.sent(n, &chunks)
				model = model[n:]
			} else if len(model) > 0 {
				t.Fatalf("seed %d: the queue is empty, the model holds %d", seed, len(model))
			}
			if q.size != len(model) {
				t.Fatalf("seed %d: size %d, model %d", seed, q.size, len(model))
			}
		}
		for len(model) > 0 {
			p := q.next()
			if len(p) == 0 || !bytes.HasPrefix(model, p) {
				t.Fatalf("seed %d: the rest is not the model's", seed)
			}
			q.sent(len(p), &chunks)
			model = model[len(p):]
		}
		if q.next() != nil {
			t.Fatalf("seed %d: more than the model", seed)
		}
	}
}

// Draining moves no byte: quadratic work would take minutes here.
func TestOutQueueDrainsInSmallSteps(t *testing.T) {
	var q outQueue
	chunks := newChunks()
	big := make([]byte, 64<<20)
	if !q.add(big, nil) {
		t.Fatal("a large reply was copied")
	}
	for range 20000 {
		q.add(make([]byte, 1000), &chunks)
	}
	begin := time.Now()
	steps := 0
	for want := unsafe.SliceData(big); q.head == 0; steps++ {
		if p := q.next(); unsafe.SliceData(p) != (*byte)(unsafe.Add(unsafe.Pointer(want), steps*512)) {
			t.Fatal("the reply was moved")
		}
		q.sent(512, nil)
	}
	for q.size > 0 {
		q.sent(min(512, len(q.next())), &chunks)
		steps++
	}
	t.Logf("%d steps in %v", steps, time.Since(begin))
	if len(q.chunks) > 64 {
		t.Errorf("%d spent chunks are held", len(q.chunks))
	}
}

// Slack is bounded: small pieces share chunks, and the stock of chunks has an end.
func TestOutQueueOverhead(t *testing.T) {
	var q outQueue
	chunks := newChunks()
	sparse := make([]byte, chunkMax, 1<<20)
	if q.add(sparse, &chunks) {
		t.Error("a buffer that the loop would keep was adopted")
	}
	for range 10000 {
		q.add([]byte("0123456789"), &chunks)
	}
	capacity := 0
	for _, c := range q.chunks {
		capacity += cap(c)
	}
	if capacity > q.size+2*chunkMax {
		t.Errorf("%d bytes take %d", q.size, capacity)
	}
	q.add(make([]byte, chunks.limit)[:maxScratch], &chunks)
	for range 2 * chunks.limit / chunkMax {
		chunks.put(make([]byte, 0, chunkMax))
	}
	for q.size > 0 {
		q.sent(len(q.next()), &chunks)
	}
	if len(chunks.free) != chunks.limit/chunkMax {
		t.Errorf("%d chunks in stock, want %d", len(chunks.free), chunks.limit/chunkMax)
	}
}

func TestBufPoolIsBounded(t *testing.T) {
	p := newPool()
	for range 10000 {
		p.put(make([]byte, 10, 8<<10))
	}
	if p.bytes > p.limit {
		t.Errorf("%d bytes are kept", p.bytes)
	}
	p.put(make([]byte, 0, p.most+1))
	for len(p.free) > 0 {
		if b := p.get(); len(b) != 0 || cap(b) != 8<<10 {
			t.Fatalf("len %d, cap %d", len(b), cap(b))
		}
	}
	if p.bytes != 0 {
		t.Errorf("%d bytes are counted in an empty pool", p.bytes)
	}
}
