package debug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/manager/debug"
)

// newManager returns a manager that is closed at the end of the test.
func newManager(t testing.TB, opts ...manager.Option) *manager.Manager {
	t.Helper()
	return newManagerOver(t, memory.New(), opts...)
}

func newManagerOver(t testing.TB, store backends.Backend, opts ...manager.Option) *manager.Manager {
	t.Helper()
	m, err := manager.New(store, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return m
}

// hold acquires the claim until the end of the test.
func hold(t testing.TB, c manager.Claim, opts ...manager.AcquireOption) *manager.Lease {
	t.Helper()
	l, err := c.Acquire(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release() }) // some tests release it, or break it, before
	return l
}

// wait starts an acquire that waits until the test ends, and returns when it stands in the queue.
func wait(t testing.TB, m *manager.Manager, ctx context.Context, c manager.Claim) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	before, done := m.Stats().Waiting, make(chan struct{})
	go func() {
		defer close(done)
		if l, err := c.Acquire(ctx); err == nil {
			_ = l.Release()
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	for m.Stats().Waiting == before {
		select {
		case <-done:
			t.Fatal("it does not wait")
		default:
			runtime.Gosched()
		}
	}
}

// get asks the page of m.
func get(m *manager.Manager, method, target, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, target, http.NoBody)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	debug.Handler(m).ServeHTTP(w, r)
	return w
}

func TestThePageShowsLiveResources(t *testing.T) {
	m := newManager(t)
	hold(t, m.Lock("<b>db</b>"))
	html := get(m, http.MethodGet, "/", "text/html,*/*")
	body := html.Body.String()
	if html.Code != http.StatusOK || !strings.Contains(body, "&lt;b&gt;db&lt;/b&gt;") ||
		strings.Contains(body, "<b>db") || !strings.Contains(body, "</html>") {
		t.Errorf("page %d: %s", html.Code, body)
	}
	for _, w := range []*httptest.ResponseRecorder{
		get(m, http.MethodGet, "/?format=json", "*/*"), get(m, http.MethodGet, "/", "application/json"),
		get(m, http.MethodGet, "/?format=json&q=DB", "*/*"),
		get(m, http.MethodGet, "/?format=json&name=%3Cb%3Edb%3C/b%3E", "*/*"),
	} {
		var s manager.Stats
		err := json.Unmarshal(w.Body.Bytes(), &s)
		if err != nil || s.Holding != 1 || s.Resources[0].Name != "<b>db</b>" {
			t.Errorf("JSON: %v, %+v", err, s)
		}
	}
	none := get(m, http.MethodGet, "/?format=json&q=else", "*/*").Body.String()
	if !strings.Contains(none, `"resources": []`) {
		t.Errorf("JSON of nothing: %s", none)
	}
}

// An operator who misses the lines of code learns why there are none.
func TestThePageOfANameSaysHowLinesAreRecorded(t *testing.T) {
	for _, recorded := range []bool{false, true} {
		var opts []manager.Option
		if recorded {
			opts = append(opts, manager.WithSites())
		}
		m := newManager(t, opts...)
		hold(t, m.Lock("db"))
		page, other := get(m, http.MethodGet, "/?name=db", "*/*").Body.String(), get(m, http.MethodGet, "/?name=free", "*/*").Body.String()
		if strings.Contains(page, "manager.WithSites") == recorded || strings.Contains(page, "handler_test.go:") != recorded {
			t.Errorf("recorded: %v: %s", recorded, page)
		}
		if strings.Contains(other, "manager.WithSites") {
			t.Errorf("of a name that is free: %s", other)
		}
	}
}

func TestOnlyGetAndHeadAreAnswered(t *testing.T) {
	w := get(newManager(t), http.MethodPost, "/", "*/*")
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow: %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestThePageOfANilOrZeroManagerIsEmpty(t *testing.T) {
	for what, m := range map[string]*manager.Manager{"nil": nil, "zero": {}} {
		w := get(m, http.MethodGet, "/", "*/*")
		if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, "</html>") {
			t.Errorf("%s manager: %d: %s", what, w.Code, body)
		}
	}
}

// A program that shows no page does not link what serves one.
func TestTheManagerLinksNoHTTP(t *testing.T) {
	deps := func(path string) string {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		return "\n" + string(out)
	}
	served := deps(".")
	manager := deps("..")
	for _, pkg := range []string{"net/http", "html/template"} {
		if line := "\n" + pkg + "\n"; strings.Contains(manager, line) || !strings.Contains(served, line) {
			t.Errorf("package manager links %s, or the page does not", pkg)
		}
	}
}

// Requests may run at the same time, and while the names change.
func TestPagesAreMadeAtTheSameTime(t *testing.T) {
	m := newManager(t, manager.WithSites())
	h := debug.Handler(m)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for n := range 20 {
				name := fmt.Sprint("name ", (i+n)%5)
				_ = m.Lock(name).Do(t.Context(), func(ctx context.Context) error {
					for _, target := range []string{"/", "/?format=json", "/?name=" + url.QueryEscape(name)} {
						w := httptest.NewRecorder()
						h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
						if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), name) {
							t.Errorf("%s: %d without %q", target, w.Code, name)
						}
					}
					return m.All(m.Lock(name+" a"), m.Lock("b")).Do(ctx, func(context.Context) error { return nil })
				})
			}
		})
	}
	group.Wait()
}
