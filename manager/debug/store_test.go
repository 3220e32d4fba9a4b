package debug_test

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/listing"
	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/manager/debug"
)

// ask gets a page of a handler.
func ask(h http.Handler, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, http.NoBody))
	return w
}

// want checks that the answer has all parts, and none of those after "not". Style and script of a
// page do not count.
func want(t *testing.T, h http.Handler, target string, status int, parts ...string) {
	t.Helper()
	w, wanted := ask(h, target), true
	body := strings.ReplaceAll(w.Body.String(), "\u00A0", " ")
	if _, shown, ok := strings.Cut(body, "<body>"); ok {
		body, _, _ = strings.Cut(shown, "<script>\"use strict\"")
	}
	if w.Code != status {
		t.Errorf("%s: %d, want %d", target, w.Code, status)
	}
	for _, part := range parts {
		if part == "not" {
			wanted = false
		} else if strings.Contains(body, part) != wanted {
			t.Errorf("%s: %q is there: %v, in %s", target, part, !wanted, body)
		}
	}
}

// busyStore has a name that a process holds and another process waits for, and a name that is held.
func busyStore(t *testing.T) (*memory.Backend, *manager.Lease) {
	store := memory.New()
	first := newManagerOver(t, store, manager.WithLabel("the <first>"))
	second := newManagerOver(t, store, manager.WithLabel("the second"))
	lease := hold(t, first.Lock("a/b c"))
	wait(t, second, t.Context(), second.Lock("a/b c"))
	hold(t, second.Semaphore("s", 4).Permits(3))
	return store, lease
}

func TestThePageOfAStoreShowsAllProcesses(t *testing.T) {
	store, lease := busyStore(t)
	h := debug.StoreHandler("memory of <this>", store)
	state, err := store.Inspect(t.Context(), "a/b c")
	if err != nil {
		t.Fatal(err)
	}
	since := state.Holders[0].Since.Local().Format(time.TimeOnly)
	token := "\n" + `<td class="n" data-label="token">` + tokenText(lease) + "</td>"
	want(t, h, "/", 200, "store <bdi>memory of &lt;this&gt;</bdi>", "the &lt;first&gt; (pid ", "the second (pid ", "1 waiting", token,
		"2 names", "semaphore of 4", "3 permits", "not", ">acquired", "holds p50", "line of code", "<form method=\"post\"", "leads")
	want(t, h, "/?name=a%2Fb+c", 200, "the &lt;first&gt;", "the second", "last token", since, "Queue of the store",
		"not", "in this process", "Repair", "How long", "Counts since")
	want(t, h, "/?name=none", 200, "Nobody holds it.", "No process waits")
	want(t, h, "/?q=THE+%3CFIRST", 200, "a/b c", "1 of 2 names", "not", "semaphore")
	want(t, h, "/?q=nothing", 200, "No name matches")
	want(t, h, "/?name="+strings.Repeat("x", 2000), 200, "inspect", "name")
}

func tokenText(l *manager.Lease) string {
	text, _ := json.Marshal(l.Token())
	return string(text)
}

// Programs get from the page what lockkeeper ls --json and show --json write.
func TestThePageOfAStoreIsAListingForPrograms(t *testing.T) {
	store, lease := busyStore(t)
	h := debug.StoreHandler("it", store)
	for target, names := range map[string]int{"/?format=json": 2, "/?format=json&q=first": 1, "/?format=json&q=else": 0} {
		var all listing.Listing
		if err := json.Unmarshal(ask(h, target).Body.Bytes(), &all); err != nil || len(all.Names) != names || all.Store != "it" {
			t.Errorf("%s: %v: %+v", target, err, all)
		}
		if names > 0 && (all.Names[0].Holders[0].Label != "the <first>" || all.Names[0].Waiters[0].Label != "the second") {
			t.Errorf("%s: %+v", target, all)
		}
	}
	var one listing.One
	text := ask(h, "/?format=json&name=a%2Fb+c").Body.String()
	if err := json.Unmarshal([]byte(text), &one); err != nil || one.Row.Name != "a/b c" || one.Holders[0].Token != lease.Token() {
		t.Errorf("%v: %s", err, text)
	}
	want(t, h, "/?format=json&name=", 400, `"error": `)
}

// An error stands on the page, whether or not there is something else to show.
func TestThePageOfAStoreShowsErrors(t *testing.T) {
	closed := memory.New()
	if err := closed.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := debug.StoreHandler("it", closed)
	want(t, h, "/", 503, `role="alert"`, "closed", "</main>", "not", "No name is in use", ">waiting<")
	want(t, h, "/?format=json", 503, `"error": `, "closed", `"names": []`)
	want(t, h, "/?name=a", 200, "closed")

	dir := filepath.Join(t.TempDir(), "locks")
	store, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	hold(t, newManagerOver(t, store).Lock("good"))
	if err := os.Symlink("/etc/hosts", filepath.Join(dir, "broken.table")); err != nil {
		t.Fatal(err)
	}
	h = debug.StoreHandler("it", directory(dir))
	want(t, h, "/", 200, `role="alert"`, "broken.table", "good", "1 name")
	want(t, h, "/?format=json", 200, `"error": `, "broken.table", `"name": "good"`)
}

// directory is a lock directory that is only read.
type directory string

func (d directory) Inspect(ctx context.Context, name string) (backends.State, error) {
	return file.Inspect(ctx, string(d), name)
}

func (d directory) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return file.List(ctx, string(d))
}

func TestANameOfAStoreIsBrokenAfterAQuestion(t *testing.T) {
	store, lease := busyStore(t)
	h := debug.StoreHandler("it", store, debug.AllowBreak())
	want(t, h, "/?name=a/b+c", 200, "Break…")
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://evil.example"}} {
		if w := post(h, "a/b c", "confirm=yes", headers...); w.Code != http.StatusForbidden || !lease.Valid() {
			t.Errorf("%q: %d", headers, w.Code)
		}
	}
	asked := post(h, "a/b c", "", "Sec-Fetch-Site", "same-origin")
	if body := asked.Body.String(); asked.Code != http.StatusOK || !strings.Contains(body, "the &lt;first&gt;") || !lease.Valid() {
		t.Fatalf("%d: %s", asked.Code, body)
	}
	if w := post(h, "a/b c", "confirm=yes", "Sec-Fetch-Site", "same-origin"); w.Code != http.StatusSeeOther {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	<-lease.Context().Done()
	if w := post(h, "", "confirm=yes"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `role="alert"`) {
		t.Errorf("no name: %d", w.Code)
	}
}

// Without AllowBreak the store is never asked to break, whatever comes.
func TestTheReadOnlyPageOfAStoreBreaksNothing(t *testing.T) {
	store, lease := busyStore(t)
	h := debug.StoreHandler("it", store)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "BREAK"} {
		r := httptest.NewRequest(method, "/?name=a/b+c", strings.NewReader("confirm=yes"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	want(t, h, "/?name=a/b+c&confirm=yes", 200, "not", "Break…")
	if !lease.Valid() {
		t.Error("it is broken")
	}
	for what, f := range map[string]func(){
		"no store":            func() { debug.StoreHandler("it", nil) },
		"a store that cannot": func() { debug.StoreHandler("it", directory("x"), debug.AllowBreak()) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			f()
		}()
	}
}

// A store that does not answer one request holds up no other.
func TestAPageThatWaitsForItsStoreHoldsUpNoOther(t *testing.T) {
	store, _ := busyStore(t)
	slow := &slowStore{Backend: store, asked: make(chan struct{}), answer: make(chan struct{})}
	h := debug.StoreHandler("it", slow)
	first := make(chan int, 1)
	go func() { first <- ask(h, "/").Code }()
	<-slow.asked
	want(t, h, "/?name=a/b+c", 200, "the second")
	slow.asked = nil
	want(t, h, "/", 200, "the second")
	close(slow.answer)
	if code := <-first; code != 200 {
		t.Errorf("then: %d", code)
	}
}

// slowStore answers the first List when it is told to.
type slowStore struct {
	*memory.Backend
	asked, answer chan struct{}
}

func (s *slowStore) List(ctx context.Context) iter.Seq2[backends.State, error] {
	if s.asked != nil {
		close(s.asked)
		<-s.answer
	}
	return s.Backend.List(ctx)
}

// Names that are no text, or are a page of their own, stand in the list and lead to their pages.
func TestHostileNamesOfAStoreAreShown(t *testing.T) {
	store := memory.New()
	m := newManagerOver(t, store, manager.WithLabel(`<b>label</b>`+strings.Repeat("L", 500)))
	names := append(hostile(), strings.Repeat("\u202E", 341))
	for _, name := range names {
		hold(t, m.Lock(name))
	}
	h := debug.StoreHandler("<i>it</i>\u202E", store, debug.AllowBreak())
	list := ask(h, "/").Body.String()
	for _, bad := range []string{"<script>window", "<img", "<b>label", "<i>", "\u202E", "\x1b"} {
		if strings.Contains(list, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, name := range names {
		href := strings.ReplaceAll("?name="+url.QueryEscape(name), "+", "&#43;")
		if !strings.Contains(list, `"`+href+`"`) {
			t.Errorf("no link to %.20q", name)
		}
		want(t, h, "/?name="+url.QueryEscape(name), 200, "Break…", "&lt;b&gt;label&lt;/b&gt;", "not", "<b>label", "\u202E")
	}
}

// A person finds a stuck name, reads who holds it, and breaks it, in a real browser.
func TestAStoreIsShownAndMendedInABrowser(t *testing.T) {
	b := newBrowser(t)
	if b == nil {
		return
	}
	store, lease := busyStore(t)
	m := newManagerOver(t, store, manager.WithLabel(`<img src=x onerror="window.ran=1">`))
	for _, name := range hostile() {
		hold(t, m.Lock(name))
	}
	srv := httptest.NewServer(debug.StoreHandler(strings.Repeat("redis://db1:6379/0?x=", 20), store, debug.AllowBreak()))
	defer srv.Close()
	for _, width := range []int{320, 1440} {
		for _, page := range []string{"/", "/?name=a%2Fb+c", "/?name=" + strings.Repeat("W", 1024)} {
			b.open(srv.URL+page, width, 900, "light")
			var got struct {
				Wide, Foreign int
				Ran           bool
			}
			b.eval(`({wide: document.documentElement.scrollWidth, ran: "ran" in window,
				foreign: document.querySelectorAll("img,iframe,[onload],[onerror]").length})`, &got)
			if got.Wide > width || got.Ran || got.Foreign != 0 {
				t.Errorf("%.12s in a window of %d: %+v", page, width, got)
			}
		}
	}
	b.open(srv.URL+"/?name=a%2Fb+c", 1440, 900, "light")
	b.click(`form[method=post] button`)
	b.click(`button.danger`)
	<-lease.Context().Done()
	var text string
	b.eval(`document.querySelector("main").innerText`, &text)
	if !strings.Contains(text, "a/b c") || strings.Contains(text, "the <first>") {
		t.Errorf("after the break: %s", text)
	}
	if list := b.complaints(); list != nil {
		t.Errorf("%q", list)
	}
}

func TestThePageOfNoStorePanicsAtOnce(t *testing.T) {
	var none *memory.Backend
	for _, s := range []debug.Store{nil, none} {
		func() {
			defer func() {
				if got := recover(); got != "debug: StoreHandler: the store is nil" {
					t.Errorf("%T: panicked with %v", s, got)
				}
			}()
			debug.StoreHandler("it", s)
		}()
	}
}
