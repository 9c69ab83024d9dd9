//go:build unix

package ops

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

var screenshots = flag.String("screenshots", "", "folder in which TestStatusPage leaves pictures of the page")

// A browser is a headless Chromium, driven by the DevTools protocol over two pipes: JSON messages that end with a zero byte.
type browser struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	cmd     *exec.Cmd
	next    int
	session string
	events  []message
}

type message struct {
	ID     int             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("no Chromium: make deps installs it")
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // descriptors 3 and 4
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	var once sync.Once
	end := func() {
		once.Do(func() {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			cmd.Wait()
			in.Close()
			out.Close()
		})
	}
	watchdog := time.AfterFunc(4*time.Minute, end)
	t.Cleanup(func() {
		watchdog.Stop()
		end()
		if t.Failed() {
			t.Logf("the browser's log:\n%s", log.String())
		}
	})
	b := &browser{t: t, in: in, out: bufio.NewReader(out), cmd: cmd}
	var target struct{ TargetID string }
	b.call(&target, "Target.createTarget", map[string]any{"url": "about:blank"})
	var attached struct{ SessionID string }
	b.call(&attached, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true})
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(nil, domain+".enable", nil)
	}
	return b
}

// call sends a command and waits for its answer; events that come meanwhile are kept.
func (b *browser) call(answer any, method string, params map[string]any) {
	b.t.Helper()
	b.next++
	m := map[string]any{"id": b.next, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		line, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		var got message
		if err := json.Unmarshal(line[:len(line)-1], &got); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		if got.ID != b.next {
			b.events = append(b.events, got)
			continue
		}
		if got.Error != nil {
			b.t.Fatalf("%s: %s", method, got.Error)
		}
		if answer != nil {
			if err := json.Unmarshal(got.Result, answer); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

// eval answers a JavaScript expression's value.
func (b *browser) eval(expression string) any {
	b.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.call(&r, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true})
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails)
	}
	return r.Result.Value
}

func (b *browser) screen(width, height int, phone bool, scheme string) {
	b.t.Helper()
	b.call(nil, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone})
	b.call(nil, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
}

func (b *browser) screenshot() []byte {
	b.t.Helper()
	var shot struct{ Data string }
	b.call(&shot, "Page.captureScreenshot", map[string]any{"format": "png", "optimizeForSpeed": false})
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

func (b *browser) wait(what, expression string) {
	b.t.Helper()
	testutil.Eventually(b.t, 30*time.Second, what, func() error {
		if v := b.eval(expression); v != true {
			return fmt.Errorf("%s is %v", expression, v)
		}
		return nil
	})
}

// TestStatusPage looks at the page as people do: in a browser, on a desk and on a telephone, by day and by night, while the
// server works, and when it is gone.
func TestStatusPage(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	master := testutil.StartRedis(t)
	mc := master.Dial(t)
	s := start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port), "--slowlog-log-slower-than", "2000")
	seed := func(n int) {
		for i := range n {
			key := fmt.Sprintf("session:%d:%s", i, strings.Repeat("x", i%40))
			mc.Must(t, "SET", key, strings.Repeat("v", 100+i%300))
			if i%2 == 0 {
				mc.Must(t, "EXPIRE", key, "3600")
			}
		}
	}
	seed(400)
	mc.Must(t, "SELECT", "2")
	mc.Must(t, "HSET", "user:1", "name", "Ada")
	mc.Must(t, "SELECT", "0")
	c := s.Dial(t)
	testutil.EventuallySame(t, 30*time.Second, master.Dial(t), c)
	// Texts that would be markup, where people see them.
	evil := "<img/src=x/onerror=document.title='owned'>"
	c.Must(t, "CLIENT", "SETNAME", evil)
	c.Must(t, "CONFIG", "SET", "slowlog-log-slower-than", "0")
	c.Must(t, "GET", "session:<b>bold</b> "+evil)
	c.Must(t, "GET", "report:daily totals")
	c.Must(t, "CONFIG", "SET", "slowlog-log-slower-than", "2000")
	worker := s.Dial(t)
	worker.Must(t, "CLIENT", "SETNAME", "worker-1")
	worker.Must(t, "CLIENT", "SETINFO", "LIB-NAME", "go-redis")
	// Traffic, so that the curves move.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			for range 5 + i/50%20 {
				worker.Do("GET", fmt.Sprintf("session:%d:%s", i%400, strings.Repeat("x", i%40)))
			}
			if i%7 == 0 {
				mc.Do("INCR", "counter")
			}
		}
	}()
	defer func() { close(stop); <-stopped }()

	b.screen(1280, 1000, false, "light")
	b.call(nil, "Page.navigate", map[string]any{"url": s.url + "/"})
	polls := 3
	if *screenshots != "" {
		polls = 20
	}
	b.wait("the page polls", fmt.Sprintf("Number(document.body && document.body.dataset.polls || 0) >= %d", polls))
	texts := map[string]string{
		"role": "replica", "ready": "ready", "link-state": "up", "master": "127.0.0.1:" + strconv.Itoa(master.Port),
	}
	for id, want := range texts {
		if got := b.eval(fmt.Sprintf("document.getElementById(%q).textContent", id)); got != want {
			t.Errorf("#%s shows %q, want %q", id, got, want)
		}
	}
	b.wait("operations are counted", `parseFloat(document.getElementById("ops").textContent) > 0`)
	for _, want := range []string{"db0", "db2", "worker-1", "go-redis", evil, `"session:<b>bold</b> ` + evil + `"`, `GET "report:daily totals"`, "go heap alive"} {
		if body := b.eval("document.body.innerText").(string); !strings.Contains(strings.ToLower(body), strings.ToLower(want)) {
			t.Errorf("the page does not show %q:\n%s", want, body)
		}
	}
	if b.eval("document.querySelectorAll('main img, main b:not(.legend b), main script').length") != 0.0 || strings.Contains(fmt.Sprint(b.eval("document.title")), "owned") {
		t.Errorf("a client's text became markup; the title is %v", b.eval("document.title"))
	}
	// Readable everywhere: nothing makes the page wider than its screen, and the text contrasts with what is behind it.
	var pictures [][]byte
	for _, view := range []struct {
		name          string
		width, height int
		phone         bool
		scheme        string
	}{{"status-page.png", 1280, 1000, false, "light"}, {"status-page-dark.png", 1280, 1000, false, "dark"}, {"status-page-phone.png", 390, 844, true, "dark"}} {
		b.screen(view.width, view.height, view.phone, view.scheme)
		b.wait("the layout follows the screen", fmt.Sprintf("innerWidth == %d", view.width))
		if wide := b.eval("document.documentElement.scrollWidth - innerWidth"); wide.(float64) > 0 {
			t.Errorf("%s: the page is %v pixels wider than the screen", view.name, wide)
		}
		if size := b.eval("parseFloat(getComputedStyle(document.body).fontSize)"); size.(float64) < 14 {
			t.Errorf("%s: the text is %v pixels high", view.name, size)
		}
		if c := b.eval(contrast); c.(float64) < 4.5 {
			t.Errorf("%s: the least contrast is %.1f, WCAG wants 4.5", view.name, c)
		}
		shot := b.screenshot()
		img, err := png.Decode(bytes.NewReader(shot))
		if err != nil || img.Bounds().Dx() != view.width {
			t.Errorf("%s: %v, %v", view.name, img.Bounds(), err)
		}
		for _, p := range pictures {
			if bytes.Equal(p, shot) {
				t.Errorf("%s looks as another view", view.name)
			}
		}
		pictures = append(pictures, shot)
		if *screenshots != "" && view.name != "status-page-dark.png" {
			if err := os.WriteFile(filepath.Join(*screenshots, view.name), shot, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
	// The link breaks: the page says so.
	master.Kill()
	b.wait("the page shows that the link is down", `document.getElementById("link-state").textContent != "up"`)
	// The server ends: the last figures stay, and the page says that they are old.
	s.Kill()
	b.wait("the page shows that the server is gone", `document.body.classList.contains("stale") && document.getElementById("lost").offsetHeight > 0`)

	for _, e := range b.events {
		switch e.Method {
		case "Runtime.exceptionThrown":
			t.Errorf("the page threw: %s", e.Params)
		case "Network.requestWillBeSent":
			var p struct {
				Request struct{ URL string }
			}
			json.Unmarshal(e.Params, &p)
			if !strings.HasPrefix(p.Request.URL, s.url+"/") && !strings.HasPrefix(p.Request.URL, "data:") {
				t.Errorf("the page asks for %s", p.Request.URL)
			}
		case "Log.entryAdded":
			if !bytes.Contains(e.Params, []byte("ERR_CONNECTION_REFUSED")) && !bytes.Contains(e.Params, []byte("ERR_EMPTY_RESPONSE")) &&
				!bytes.Contains(e.Params, []byte("ERR_CONNECTION_RESET")) && bytes.Contains(e.Params, []byte(`"level":"error"`)) {
				t.Errorf("the browser complains: %s", e.Params)
			}
		}
	}
}

// contrast is the least contrast (WCAG 2) of texts against the nearest background behind them.
const contrast = `(() => {
  const rgb = s => (s.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const lum = c => { const f = c.slice(0, 3).map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4) }); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2] };
  let least = 21;
  for (const e of document.querySelectorAll("h1, h2, dt, dd, th, td, .big, .note, .badge, .legend span, .sub")) {
    if (!e.textContent.trim() || !e.offsetHeight) continue;
    let b = e; while (b && (rgb(getComputedStyle(b).backgroundColor)[3] ?? 1) === 0) b = b.parentElement;
    const a = lum(rgb(getComputedStyle(e).color)), z = lum(rgb(getComputedStyle(b || document.body).backgroundColor));
    least = Math.min(least, (Math.max(a, z) + 0.05) / (Math.min(a, z) + 0.05));
  }
  return least;
})()`
