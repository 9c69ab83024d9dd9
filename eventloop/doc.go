// Package eventloop serves byte connections from one goroutine. It is the only
// importer of github.com/tidwall/evio and knows nothing of the protocol above it.
//
// # What runs where
//
// Every [Handler] method and every function given to [Loop.Post] or
// [Loop.Again] runs on one goroutine, the loop. State that only they touch needs
// no lock. A call to one of them is a *callback*; whatever it appended to the
// Out field of a connection leaves for the kernel when the callback ends, and the
// connections it closed are torn down then too, so that no Handler method is ever
// entered from within another one.
//
// # The poller underneath (Linux)
//
// evio v1.0.8 waits (epoll_wait), reads (read) and dispatches. Five of its ways
// would harm a server that must not stop, so this package takes them over:
//
//		               evio's epoll set                          ours, nested in it
//		   ┌──────────────────────────────────────┐     ┌───────────────────────────────┐
//		   │ clients that are up to date          │     │ clients with output that the  │
//		   │   EPOLLIN -> evio reads -> Data      │     │ kernel refused, paused ones,  │
//		   │ eventfd   -> mailbox: Post, Again    │     │ ones that said their last word│
//		   │ timerfd   -> Tick                    │     │   EPOLLOUT -> drain           │
//		   │ listeners -> accept4, by us          │     │   EPOLLIN  -> read, Data      │
//		   │ the nested set ──────────────────────┼────▶│   EPOLLHUP -> close           │
//		   └──────────────────────────────────────┘     └───────────────────────────────┘
//
//	  - Replies are written by us, straight from the callback, with one non-blocking
//	    write(2): evio would copy them, arm EPOLLOUT and wait for a turn. evio is
//	    never given a byte to hold. What the kernel refuses waits in a queue of
//	    chunks that belongs to the connection and exists only as long as it is needed.
//	  - A connection with a queue moves to the nested set, where end of input does not
//	    mean end of connection: evio closes at once when read returns 0 and
//	    would drop the replies of a client that half-closed.
//	  - We accept. evio ends the whole server on any accept error but EAGAIN.
//	    Accepted descriptors are entered in evio's table, so it reads them like its own.
//	  - The mailbox is an eventfd in that table. evio's own Wake can lose a wake-up
//	    (it drains its eventfd after it has looked at its notes) until its
//	    100 ms timeout, and writes to a descriptor that may be another's after a stop.
//	  - The clock is a timerfd in that table; evio's ticker costs a goroutine switch
//	    a tick and has the same flaw at the stop.
//
// Entering descriptors takes five unexported fields of evio, which are looked
// up by name and type when a loop is made; New fails with a clear error should they differ.
//
// On other systems a plain backend hands the output to evio's net-based
// server: it works, and has evio's weaknesses.
//
// # Cost
//
// An unpipelined request costs one read, one write and its share of an epoll_wait,
// and allocates nothing. An idle connection owns no buffer: a loop-wide scratch
// buffer is lent to it as Out while its callback runs.
package eventloop
