package debug_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A browser is a page of a headless Chromium, which is told what to do over a pipe: messages of the
// DevTools protocol, each ended by a zero byte.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	id      int
	events  []message
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

type values = map[string]any

// newBrowser starts a Chromium that ends with the test. It returns nil if there is none.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Log("chromium is not installed: not looked at in a browser")
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir())
	cmd.WaitDelay = 10 * time.Second
	in, to, err1 := os.Pipe()
	from, out, err2 := os.Pipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	cmd.ExtraFiles = []*os.File{in, out} // its descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		b.session = ""
		b.id++
		b.send("Browser.close", nil)
		_ = cmd.Wait()
		cancel()
		to.Close()
		from.Close()
	})
	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", values{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", values{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func (b *browser) send(method string, params values) {
	msg := values{"id": b.id, "method": method}
	if params != nil {
		msg["params"] = params
	}
	if b.session != "" {
		msg["sessionId"] = b.session
	}
	text, _ := json.Marshal(msg)
	_, _ = b.to.Write(append(text, 0)) // if it has ended, the next read says so
}

func (b *browser) read() (m message) {
	b.t.Helper()
	text, err := b.from.ReadBytes(0)
	if err == nil {
		err = json.Unmarshal(text[:len(text)-1], &m)
	}
	if err != nil {
		b.t.Fatal("chromium: ", err)
	}
	return m
}

// call waits for the answer; events that come before it are kept.
func (b *browser) call(method string, params values, result any) {
	b.t.Helper()
	b.id++
	b.send(method, params)
	for {
		m := b.read()
		if m.ID != b.id {
			b.events = append(b.events, m)
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// open shows the page in a window of this size, and waits until it is loaded.
func (b *browser) open(url string, width, height int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", values{
		"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
	}, nil)
	b.call("Emulation.setEmulatedMedia", values{
		"features": []values{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
	b.loads(func() { b.call("Page.navigate", values{"url": url}, nil) })
}

// click clicks on what leads to another page, and waits until that is loaded.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.loads(func() { b.eval(`document.querySelector("`+selector+`").click()`, nil) })
}

// loads waits until the page that begin leads to is loaded.
func (b *browser) loads(begin func()) {
	b.t.Helper()
	b.events = nil
	begin()
	for {
		for _, e := range b.events {
			if e.Method == "Page.loadEventFired" {
				return
			}
		}
		b.events = append(b.events, b.read())
	}
}

// eval returns the value of the expression, of the promise if it is one.
func (b *browser) eval(expression string, value any) {
	b.t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", values{"expression": expression, "awaitPromise": true, "returnByValue": true}, &got)
	if got.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, got.ExceptionDetails)
	}
	if got.Result.Value != nil && value != nil {
		if err := json.Unmarshal(got.Result.Value, value); err != nil {
			b.t.Fatalf("%s: %v", expression, err)
		}
	}
}

// complaints returns what the browser has logged: violations of the page's policy, errors of its
// script, dialogs.
func (b *browser) complaints() (list []string) {
	b.eval("0", nil) // what was logged before has come
	for _, e := range b.events {
		switch e.Method {
		case "Log.entryAdded", "Runtime.exceptionThrown", "Page.javascriptDialogOpening", "Runtime.consoleAPICalled":
			list = append(list, e.Method+" "+string(e.Params))
		}
	}
	return list
}

func (b *browser) screenshot() []byte {
	b.t.Helper()
	var shot struct{ Data []byte }
	b.call("Page.captureScreenshot", values{"format": "png"}, &shot)
	return shot.Data
}
