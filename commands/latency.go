package commands

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// The latency monitor: for each kind of event that can hold the server up, the
// moments when it took at least latency-monitor-threshold.

const (
	latencySamples = 160 // kept of each event
	maxLatencyRows = 64  // events; their names are ours, so this is never reached
)

type latencySample struct {
	when   int64 // unix seconds
	millis int64
}

// latencySeries is the last samples of one event, at most one a second.
type latencySeries struct {
	samples []latencySample // oldest first
	max     int64           // ms, since the last reset
}

// latencyMonitor is the series by event.
type latencyMonitor struct {
	events map[string]*latencySeries
}

// add notes that an event took millis. Of several in one second the longest
// counts.
func (m *latencyMonitor) add(event string, now, millis int64) {
	t := m.events[event]
	if t == nil {
		if len(m.events) >= maxLatencyRows {
			return
		}
		if m.events == nil {
			m.events = make(map[string]*latencySeries)
		}
		t = &latencySeries{}
		m.events[event] = t
	}
	t.max = max(t.max, millis)
	if n := len(t.samples); n > 0 && t.samples[n-1].when == now {
		t.samples[n-1].millis = max(t.samples[n-1].millis, millis)
		return
	}
	if len(t.samples) == latencySamples {
		copy(t.samples, t.samples[1:])
		t.samples = t.samples[:latencySamples-1]
	}
	t.samples = append(t.samples, latencySample{now, millis})
}

// noteLatency enters an event that has just ended in the latency monitor, if it
// took long enough.
func (s *Server) noteLatency(event string, nanos int64) {
	if limit := s.V.LatencyMonitorThreshold; limit > 0 && nanos/1e6 >= limit {
		s.latency.add(event, s.now/1000, nanos/1e6)
	}
}

// names are the events seen, sorted.
func (m *latencyMonitor) names() []string {
	names := make([]string, 0, len(m.events))
	for n := range m.events {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func latencyLatestCommand(c *Client) {
	m := &c.srv.latency
	c.addReplyArrayLen(len(m.events))
	for _, name := range m.names() {
		t := m.events[name]
		last := t.samples[len(t.samples)-1]
		c.addReplyArrayLen(4)
		c.addReplyBulkString(name)
		c.addReplyLongLong(last.when)
		c.addReplyLongLong(last.millis)
		c.addReplyLongLong(t.max)
	}
}

func latencyHistoryCommand(c *Client) {
	t := c.srv.latency.events[string(c.args[2])]
	if t == nil {
		c.addReplyArrayLen(0)
		return
	}
	c.addReplyArrayLen(len(t.samples))
	for _, s := range t.samples {
		c.addReplyArrayLen(2)
		c.addReplyLongLong(s.when)
		c.addReplyLongLong(s.millis)
	}
}

func latencyResetCommand(c *Client) {
	m := &c.srv.latency
	if len(c.args) == 2 {
		n := len(m.events)
		clear(m.events)
		c.addReplyLongLong(int64(n))
		return
	}
	n := int64(0)
	for _, a := range c.args[2:] {
		if m.events[string(a)] != nil {
			delete(m.events, string(a))
			n++
		}
	}
	c.addReplyLongLong(n)
}

// latencyGraphCommand draws the samples as bars: as many '#' as the latency has
// quarters of the largest one, and below how long ago it was, read downwards.
func latencyGraphCommand(c *Client) {
	t := c.srv.latency.events[string(c.args[2])]
	if t == nil {
		c.addReplyError("No samples available for event '" + cText(c.args[2]) + "'")
		return
	}
	const (
		rows    = 4
		columns = 80
	)
	samples := t.samples
	low, high := int64(math.MaxInt64), int64(0)
	for _, s := range samples {
		low, high = min(low, s.millis), max(high, s.millis)
	}
	samples = samples[max(0, len(samples)-columns):]
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", c.args[2], high, low, t.max)
	b.WriteString(strings.Repeat("-", columns) + "\n")
	line := make([]byte, len(samples))
	emit := func() { b.WriteString(strings.TrimRight(string(line), " ") + "\n") }
	for row := rows; row >= 1; row-- {
		for i, s := range samples {
			line[i] = ' '
			switch filled := (s.millis*rows + high - 1) / max(high, 1); {
			case filled >= int64(row):
				line[i] = '#'
			case row == 1:
				line[i] = '_'
			}
		}
		emit()
	}
	b.WriteByte('\n')
	labels := make([]string, len(samples))
	tallest := 0
	for i, s := range samples {
		labels[i] = ago(c.now()/1000 - s.when)
		tallest = max(tallest, len(labels[i]))
	}
	for row := range tallest {
		for i, l := range labels {
			line[i] = ' '
			if row < len(l) {
				line[i] = l[row]
			}
		}
		emit()
	}
	c.addReplyVerbatim("txt", b.String())
}

// ago is a number of seconds in the largest unit that fits.
func ago(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 86400:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/86400)
}

// latencyDoctorCommand says in words what the series hold.
func latencyDoctorCommand(c *Client) {
	m := &c.srv.latency
	var b strings.Builder
	switch {
	case len(m.events) == 0 && c.srv.V.LatencyMonitorThreshold == 0:
		b.WriteString("The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n")
	case len(m.events) == 0:
		fmt.Fprintf(&b, "No event has taken %d ms or more.\n", c.srv.V.LatencyMonitorThreshold)
	}
	for i, name := range m.names() {
		t := m.events[name]
		sum, deviation := 0.0, 0.0
		for _, s := range t.samples {
			sum += float64(s.millis)
		}
		n := float64(len(t.samples))
		for _, s := range t.samples {
			deviation += math.Abs(float64(s.millis) - sum/n)
		}
		period := 0.0
		if len(t.samples) > 1 {
			period = float64(t.samples[len(t.samples)-1].when-t.samples[0].when) / (n - 1)
		}
		fmt.Fprintf(&b, "%d. %s: %d latency spikes (average %.0f ms, mean deviation %.0f ms, period %.2f s). Worst all time event %d ms.\n",
			i+1, name, len(t.samples), sum/n, deviation/n, period, t.max)
	}
	if m.events["command"] != nil || m.events["fast-command"] != nil {
		b.WriteString("\nSlow commands were seen: SLOWLOG GET names them (slowlog-log-slower-than says from which duration on). " +
			"A fast command that is slow tells of a busy machine, or of values whose memory was swapped out.\n")
	}
	c.addReplyVerbatim("txt", b.String())
}

// latencyHistogramCommand answers how many calls of commands took at most 1, 2,
// 4, 8, 16, 33 … microseconds: the bounds of redis-server's histograms, whose
// buckets are 1/128 wide. Bounds that add no call are left out.
func latencyHistogramCommand(c *Client) {
	mark, n := c.deferredLen(), 0
	if len(c.args) == 2 {
		for id := range c.srv.Table.Len() {
			n += c.histogramOf(c.srv.Table.ByID(id))
		}
	}
	for _, name := range c.args[2:] {
		cmd := c.srv.Table.LookupFull(name)
		if cmd == nil {
			continue
		}
		n += c.histogramOf(cmd)
		for _, sub := range cmd.Subcommands {
			n += c.histogramOf(sub)
		}
	}
	c.setDeferredMapLen(mark, n)
}

// histogramOf answers one command's entry; 0 if there is nothing to tell of it.
func (c *Client) histogramOf(cmd *Command) int {
	st := &c.srv.cmdStats[cmd.ID]
	if st.hist == nil {
		return 0
	}
	total := int64(0)
	for _, n := range st.hist {
		total += int64(n)
	}
	c.addReplyBulkString(cmd.FullName)
	c.addReplyMapLen(2)
	c.addReplyBulkString("calls")
	c.addReplyLongLong(total)
	c.addReplyBulkString("histogram_usec")
	mark, pairs := c.deferredLen(), 0
	seen, reported, next := int64(0), int64(0), 0
	for bound := int64(1032); reported < total; bound <<= 1 {
		for next < histBuckets && (next == 0 || histValue(next-1)+1 < bound) {
			seen += int64(st.hist[next])
			next++
		}
		if seen > reported {
			c.addReplyLongLong((bound - 1) / 1000)
			c.addReplyLongLong(seen)
			reported = seen
			pairs++
		}
	}
	c.setDeferredMapLen(mark, pairs)
	return 1
}

func latencyHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"DOCTOR", "    Answer a report about the latency spikes.",
		"GRAPH <event>", "    Answer a drawing of the spikes of an event.",
		"HISTORY <event>", "    Answer the spikes of an event: unix time, milliseconds.",
		"LATEST", "    Answer the last spike of each event.",
		"RESET [<event> ...]", "    Forget the spikes of events, of all if none is given.",
		"HISTOGRAM [COMMAND ...]", "    Answer how many calls of commands (all if none is given) took how long.",
	})
}
