// Package snapfile writes a snapshot to a file from a goroutine of its own: the
// loop hands it bytes and goes on.
//
//	loop ── Write ──► queue ──► goroutine ──► temp-<pid>.rdb ── Commit ──► fsync, rename, fsync of the folder
//
// Until Commit has succeeded the old file stands as it was, whatever happens: a
// full disk, a crash, a Discard.
package snapfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

const (
	// QueueLimit is how many bytes may wait for the disk before Room is false.
	QueueLimit = 8 << 20
	// SyncEvery is after how many bytes the file is flushed to the disk, with
	// incremental fsync: so the last flush does not take seconds.
	SyncEvery = 4 << 20

	chunkSize = 256 << 10
)

// errDiscarded is the state of a file that was given up.
var errDiscarded = errors.New("snapfile: discarded")

// File is a snapshot in the making. Create, Write, Room, Wait, Commit and Discard
// are for one goroutine.
type File struct {
	path, temp string
	f          *os.File
	sync       bool

	mu     sync.Mutex
	moved  sync.Cond // queue or state changed
	queue  [][]byte
	free   [][]byte
	queued int // bytes in queue, and in the goroutine's hands
	closed bool
	finish func(error)
	err    error

	done chan struct{}
}

// Create starts to write a file that will be path. incremental has it flushed to
// the disk while it grows.
func Create(path string, incremental bool) (*File, error) {
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf("temp-%d.rdb", os.Getpid()))
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	x := &File{path: path, temp: temp, f: f, sync: incremental, done: make(chan struct{})}
	x.moved.L = &x.mu
	go x.run()
	return x, nil
}

// Write takes a copy of p.
func (x *File) Write(p []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return
	}
	x.queued += len(p)
	for len(p) > 0 {
		last := len(x.queue) - 1
		if last < 0 || len(x.queue[last]) == cap(x.queue[last]) {
			x.queue = append(x.queue, x.chunk())
			last++
		}
		c := x.queue[last]
		n := min(len(p), cap(c)-len(c))
		x.queue[last] = append(c, p[:n]...)
		p = p[n:]
	}
	x.moved.Broadcast()
}

// chunk is an empty one.
func (x *File) chunk() []byte {
	if n := len(x.free); n > 0 {
		c := x.free[n-1]
		x.free = x.free[:n-1]
		return c[:0]
	}
	return make([]byte, 0, chunkSize)
}

// Room tells whether the disk keeps up.
func (x *File) Room() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.queued < QueueLimit || x.err != nil
}

// Wait blocks until there is room, for those who have nothing else to do.
func (x *File) Wait() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.queued >= QueueLimit && x.err == nil {
		x.moved.Wait()
	}
}

// Err is the error that has ended the writing, if any.
func (x *File) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// Commit has the file put in its place once everything is written, and calls done
// with the outcome, on the file's goroutine.
func (x *File) Commit(done func(error)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed, x.finish = true, done
	x.moved.Broadcast()
}

// CommitNow is Commit for those who wait for it.
func (x *File) CommitNow() error {
	var err error
	x.Commit(func(e error) { err = e })
	<-x.done
	return err
}

// Discard removes what was written. It does not wait for that.
func (x *File) Discard() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = errDiscarded
	}
	x.closed = true
	x.moved.Broadcast()
}

// run is the file's goroutine.
func (x *File) run() {
	defer close(x.done)
	err := x.drain()
	if err == nil {
		err = x.f.Sync()
	}
	if e := x.f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(x.temp, x.path)
	}
	if err != nil {
		_ = os.Remove(x.temp)
	} else if dir, e := os.Open(filepath.Dir(x.path)); e == nil {
		err = dir.Sync() // so that the new name survives a crash
		_ = dir.Close()
	}
	x.mu.Lock()
	finish := x.finish
	x.mu.Unlock()
	if finish != nil {
		finish(err)
	}
}

// drain writes until Commit or Discard.
func (x *File) drain() error {
	unsynced := 0
	var done [][]byte
	for {
		x.mu.Lock()
		for _, c := range done {
			x.queued -= len(c)
			if len(x.free) < QueueLimit/chunkSize {
				x.free = append(x.free, c)
			}
		}
		x.moved.Broadcast()
		for len(x.queue) == 0 && !x.closed {
			x.moved.Wait()
		}
		list, err := x.queue, x.err
		x.queue = nil
		x.mu.Unlock()
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return nil
		}
		for _, c := range list {
			if _, err := x.f.Write(c); err != nil {
				return x.fail(err)
			}
			if unsynced += len(c); x.sync && unsynced >= SyncEvery {
				unsynced = 0
				if err := x.f.Sync(); err != nil {
					return x.fail(err)
				}
			}
		}
		done = list
	}
}

// fail notes an error, and waits for the end: Commit or Discard.
func (x *File) fail(err error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.err = err
	x.queue, x.free = nil, nil
	x.moved.Broadcast()
	for !x.closed {
		x.moved.Wait()
	}
	return err
}
