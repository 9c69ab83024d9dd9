package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

const mb = 1 << 20

// populated starts a server and fills it with keys key:0 … of 64-byte values.
func populated(e *env, which string) (*testutil.Server, *testutil.Conn, error) {
	s, err := e.start(which)
	if err != nil {
		return nil, nil, err
	}
	c, err := testutil.Dial(s.Addr())
	if err != nil {
		e.stop(s)
		return nil, nil, err
	}
	c.SetTimeout(5 * time.Minute)
	v, err := c.Do("DEBUG", "POPULATE", strconv.Itoa(e.sizes.keys), "key", "64")
	if err == nil {
		err = v.Err()
	}
	if err == nil {
		v, err = c.Do("DBSIZE")
		if err == nil && v.Int != int64(e.sizes.keys) {
			err = fmt.Errorf("DBSIZE after DEBUG POPULATE %d: %v", e.sizes.keys, v)
		}
	}
	if err != nil {
		c.Close()
		e.stop(s)
		return nil, nil, err
	}
	time.Sleep(time.Second) // let background work settle: resizing tables, returning pages
	return s, c, nil
}

// populate gives the rss and, where the server tells it, the Go heap in use, in MB.
func populate(e *env, which string) (sample, error) {
	s, c, err := populated(e, which)
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	defer c.Close()
	rss, err := testutil.RSS(s.PID())
	if err != nil {
		return nil, err
	}
	got := sample{"rss": float64(rss) / mb}
	if heap, err := infoNumber(c, "memory", "go_heap_inuse", mb); err == nil {
		got["heap"] = heap
	}
	return got, nil
}

// infoNumber is a field of INFO divided by unit.
func infoNumber(c *testutil.Conn, section, field string, unit float64) (float64, error) {
	info, err := c.Info(section)
	if err != nil {
		return 0, err
	}
	text, ok := info[field]
	if !ok {
		return 0, fmt.Errorf("INFO %s has no field %s", section, field)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("INFO %s: %s: %w", section, field, err)
	}
	return n / unit, nil
}
