// Command benchmarks starts redis-server and our server in one run, puts the same load on both, and prints a table of ratios. It is a
// black box: all it knows of a server is the wire, its INFO and /proc.
//
//	go run ./benchmarks [-quick] [-only name[,name]] [-runs N] [-redis PATH] [-ours PATH] [-json | -markdown] [-profile DIR]
//
// Runs are interleaved (redis, ours, redis, ours …) and the median counts. CPU is the server's own, of all its threads.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

func main() {
	if dir := os.Getenv(profileEnv); dir != "" {
		if err := serveProfiled(dir, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

const defaultLabels = "ours,redis"

// run is main without the process: flags, measures, table. The error of a measure does not stop the others.
func run(args []string, out, progress io.Writer) error {
	fs := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	fs.SetOutput(progress)
	quick := fs.Bool("quick", false, "small sizes: a smoke test, not a measurement")
	only := fs.String("only", "", "comma-separated: measures whose name holds one of these")
	runs := fs.Int("runs", 3, "how often each server is measured")
	redis := fs.String("redis", "", "the server to compare with (default redis-server)")
	ours := fs.String("ours", "", "our server (default: built from this tree)")
	asJSON := fs.Bool("json", false, "one JSON object a measure in place of the table")
	markdown := fs.Bool("markdown", false, "rows of a markdown table, to be pasted into a page")
	list := fs.Bool("list", false, "list the measures")
	labels := fs.String("labels", defaultLabels, "the names of the two columns; with other names than these the bars, which are for redis-server, do not count")
	cache := fs.String("cache", "", "folder for the RDB that is served to replicas (default: in the system's temporary folder)")
	profile := fs.String("profile", "", "write CPU profiles of our server to this folder; redis-server is left out")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *list {
		for _, m := range measures {
			fmt.Fprintf(out, "%-12s %s\n", m.name, m.title)
		}
		return nil
	}
	e := &env{runs: max(*runs, 1), sizes: fullSizes, cache: *cache, progress: progress}
	if *quick {
		e.sizes = quickSizes
	}
	defer e.close()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupts)
	go func() {
		if _, ok := <-interrupts; ok {
			e.close()
			os.Exit(1)
		}
	}()
	if *ours != "" {
		testutil.OursPath = *ours
	}
	if *redis != "" {
		testutil.RedisPath = *redis
	}
	defer testutil.Cleanup()
	var err error
	if e.redisPath, err = testutil.RedisBinary(); err != nil {
		return err
	}
	if *profile == "" {
		if e.oursPath, err = testutil.OursBinary(); err != nil {
			return err
		}
	}
	if *profile != "" {
		if err := e.profiled(*profile); err != nil {
			return err
		}
		defer os.Unsetenv(profileEnv)
	}
	left, right, ok := strings.Cut(*labels, ",")
	if !ok {
		return fmt.Errorf("-labels %q: want two names", *labels)
	}
	var rows []result
	failed := 0
	for _, m := range measures {
		if !wanted(m.name, *only) {
			continue
		}
		r := m.measure(e, *labels == defaultLabels)
		if r.Verdict == verdictError {
			failed++
		}
		rows = append(rows, r)
		if *asJSON {
			b, err := json.Marshal(r)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\n", b)
		}
	}
	if len(rows) == 0 {
		return fmt.Errorf("-only %q matches no measure; -list lists them", *only)
	}
	switch {
	case *asJSON:
	case *markdown:
		markdownTable(out, rows, left, right)
	default:
		table(out, rows, left, right)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d measures failed", failed, len(rows))
	}
	return nil
}

func wanted(name, only string) bool {
	if only == "" {
		return true
	}
	for _, part := range strings.Split(only, ",") {
		if part != "" && strings.Contains(name, part) {
			return true
		}
	}
	return false
}

func table(out io.Writer, rows []result, left, right string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "measure\t%s\t%s\tratio\tbar\taim\t\n", left, right)
	for _, r := range rows {
		if r.Verdict == verdictError {
			fmt.Fprintf(w, "%s\t%s\n", r.Title, "failed: "+r.Error)
			continue
		}
		ratio, redis := "-", "-"
		if r.Redis != nil {
			redis = format(*r.Redis, r.Unit)
			ratio = fmt.Sprintf("%.2f", r.Ratio)
		}
		bound := func(v float64) string {
			switch {
			case v == 0:
				return ""
			case r.Absolute:
				return r.Sign + " " + format(v, r.Unit)
			}
			return fmt.Sprintf("%s %.2f", r.Sign, v)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Title, format(r.Ours, r.Unit), redis, ratio, bound(r.Bar), bound(r.Aim), r.Verdict)
	}
	w.Flush()
}

// markdownTable is the same without the bounds.
func markdownTable(out io.Writer, rows []result, left, right string) {
	fmt.Fprintf(out, "| measure | %s | %s | ratio |\n| --- | --- | --- | --- |\n", left, right)
	for _, r := range rows {
		switch {
		case r.Verdict == verdictError:
			fmt.Fprintf(out, "| %s | failed | | |\n", r.Title)
		case r.Redis == nil:
			fmt.Fprintf(out, "| %s | %s | – | – |\n", r.Title, format(r.Ours, r.Unit))
		default:
			fmt.Fprintf(out, "| %s | %s | %s | %.2f |\n", r.Title, format(r.Ours, r.Unit), format(*r.Redis, r.Unit), r.Ratio)
		}
	}
}

func format(v float64, unit string) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.0f %s", v, unit)
	case v >= 10:
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.3f %s", v, unit)
}
