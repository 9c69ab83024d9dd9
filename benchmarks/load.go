package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

func loadRow(command string, pipeline int, name string) func(*env, string) (float64, error) {
	return field(fmt.Sprintf("load %s %d", command, pipeline), name, func(e *env, which string) (sample, error) { return load(e, which, command, pipeline) })
}

// load runs redis-benchmark with 50 clients on random keys, every one of which exists: µs of the server's CPU a request, and thousands of
// requests a second.
func load(e *env, which, command string, pipeline int) (sample, error) {
	s, err := loadServer(e, which)
	if err != nil {
		return nil, err
	}
	n := e.sizes.single
	if pipeline > 1 {
		n = e.sizes.pipelined
	}
	before, err := testutil.CPUTime(s.PID())
	if err != nil {
		return nil, err
	}
	out, err := exec.Command("redis-benchmark", "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port), "-t", command, "-n", strconv.Itoa(n), "-c", "50",
		"-P", strconv.Itoa(pipeline), "-r", strconv.Itoa(e.sizes.loadKeys), "-d", "64", "--csv").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("redis-benchmark: %w\n%s", err, out)
	}
	after, err := testutil.CPUTime(s.PID())
	if err != nil {
		return nil, err
	}
	rps, err := parseCSV(string(out), command)
	if err != nil {
		return nil, err
	}
	return sample{"cpu": micros(after-before) / float64(n), "rps": rps / 1000}, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// parseCSV finds the requests per second in redis-benchmark's --csv output: a header, then "NAME","rps",….
func parseCSV(out, command string) (float64, error) {
	for l := range strings.SplitSeq(out, "\n") {
		fields := strings.Split(l, ",")
		if len(fields) > 1 && strings.EqualFold(strings.Trim(fields[0], `"`), command) {
			return strconv.ParseFloat(strings.Trim(fields[1], `" `), 64)
		}
	}
	return 0, fmt.Errorf("redis-benchmark printed no line for %s:\n%s", command, out)
}

// loadServer returns the one server of that side that all load rows share, filled with the keys that redis-benchmark will draw.
func loadServer(e *env, which string) (*testutil.Server, error) {
	for _, s := range e.shared {
		if s.Name == which {
			return s, nil
		}
	}
	s, err := e.start(which)
	if err != nil {
		return nil, err
	}
	if err := fill(s, e.sizes.loadKeys); err != nil {
		return nil, err
	}
	e.shared = append(e.shared, s)
	return s, nil
}

// fill sets key:000000000000 … as redis-benchmark names them, to 64 bytes each.
func fill(s *testutil.Server, keys int) error {
	c, err := testutil.Dial(s.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	value := strings.Repeat("x", 64)
	const batch = 1000
	for at := 0; at < keys; at += batch {
		n := min(batch, keys-at)
		var wire []byte
		for i := range n {
			wire = testutil.AppendCommand(wire, "SET", fmt.Sprintf("key:%012d", at+i), value)
		}
		if _, err := c.Write(wire); err != nil {
			return err
		}
		for range n {
			if v, _, err := c.Read(); err != nil || v.Text != "OK" {
				return fmt.Errorf("SET: %v, %w", v, err)
			}
		}
	}
	return nil
}
