package sysinfo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestFacts(t *testing.T) {
	p := Open(5000)
	defer p.Close()
	if p.PID != os.Getpid() || p.ArchBits != strconv.IntSize || !filepath.IsAbs(p.Executable) || p.GoVersion != runtime.Version() {
		t.Errorf("%+v", p.Facts)
	}
	if runtime.GOOS == "linux" {
		out, err := exec.Command("uname", "-srm").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(out)); p.OS != got {
			t.Errorf("OS %q, uname says %q", p.OS, got)
		}
		info, err := os.ReadFile("/proc/meminfo")
		if err != nil {
			t.Fatal(err)
		}
		if kb, err := strconv.ParseInt(strings.Fields(string(info))[1], 10, 64); err != nil || p.TotalMemory != kb*1024 {
			t.Errorf("total memory %d, /proc/meminfo says %d KB, %v", p.TotalMemory, kb, err)
		}
	}
	for now, want := range map[int64]int64{4000: 0, 5000: 0, 5999: 0, 6000: 1, 65000: 60} {
		if got := p.Uptime(now); got != want {
			t.Errorf("uptime at %d is %d, want %d", now, got, want)
		}
	}
}

func TestRSSFollowsMemory(t *testing.T) {
	p := Open(0)
	before := p.RSS()
	if rss, file := p.Resident(); file <= 0 || file >= rss {
		t.Errorf("%d bytes, of which %d from files", rss, file)
	}
	const size = 64 << 20
	block := bytes.Repeat([]byte{1}, size)
	during := p.RSS()
	if before <= 0 || during-before < size*8/10 {
		t.Errorf("RSS %d, with %d bytes more %d", before, size, during)
	}
	if peak := PeakRSS(); peak < during*9/10 {
		t.Errorf("peak %d below the present %d", peak, during)
	}
	runtime.KeepAlive(block)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	lo, rss, hi := PeakRSS(), p.RSS(), PeakRSS() // it may grow between two looks
	if rss < lo || rss > hi {
		t.Errorf("without its file RSS is %d, not the peak of %d to %d", rss, lo, hi)
	}
}

func TestResidentPages(t *testing.T) {
	for text, want := range map[string][2]int64{"1234 567 89 1 0 2 0\n": {567, 89}, "1 0 0": {0, 0}, "12 3 2": {3, 2}} {
		if got, file, ok := residentPages([]byte(text)); !ok || got != want[0] || file != want[1] {
			t.Errorf("%q: %d, %d, %v", text, got, file, ok)
		}
	}
	for _, text := range []string{"", "12", "12 ", "12 x", "12 3", "12 3 x"} {
		if _, _, ok := residentPages([]byte(text)); ok {
			t.Errorf("%q has no resident pages", text)
		}
	}
}

func TestCPU(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	self, thread := SelfCPU(), ThreadCPU()
	n := 0
	for deadline := time.Now().Add(100 * time.Millisecond); time.Now().Before(deadline); {
		n++
	}
	self2, thread2 := SelfCPU(), ThreadCPU()
	spent := func(a, b CPU) time.Duration { return b.User + b.System - a.User - a.System }
	if d := spent(self, self2); d <= 0 || n == 0 {
		t.Errorf("busy waiting took %v of the process", d)
	}
	if d := spent(thread, thread2); d <= 0 || d > 10*time.Second {
		t.Errorf("busy waiting took %v of the thread", d)
	}
	children := ChildrenCPU()
	if err := exec.Command("go", "version").Run(); err != nil {
		t.Fatal(err)
	}
	if d := spent(children, ChildrenCPU()); d <= 0 {
		t.Errorf("a child took %v", d)
	}
}
