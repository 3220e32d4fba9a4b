package debug_test

import (
	"context"
	"fmt"
	"iter"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/manager/debug"
)

// hostile are names that try to run a script, to turn the text around, or to be as wide as can be.
func hostile() []string {
	list := []string{
		`<script>window.ran=1</script>`,
		`"><img src=x onerror="window.ran=1">`,
		`</title></style></noscript></svg><svg onload="window.ran=1">`,
		`javascript:window.ran=1`, `' onmouseover='window.ran=1`, `{{.}} ${window.ran=1}`,
		"\u202Egnp.exe\u2066", "שלום/" + strings.Repeat("م", 100), "\xff\xfe\x00\x1b[2J\r\n",
		strings.Repeat("W", 1024), strings.Repeat("𝔚", 256), strings.Repeat("e\u0301\u0302", 150), "   ",
	}
	return list
}

// Nothing that a page says is hidden behind the edge of its table, whatever the width of the window.
func TestNoTableIsWiderThanItsPlace(t *testing.T) {
	b := newBrowser(t)
	if b == nil {
		return
	}
	m := newManager(t, manager.WithSites(), manager.WithLabel("billing-worker-eu"))
	scene(t, m)
	here := httptest.NewServer(debug.Handler(m, debug.AllowBreak()))
	defer here.Close()
	there := httptest.NewServer(debug.StoreHandler("memory:", usual{}))
	defer there.Close()
	odd := httptest.NewServer(debug.Handler(populate(t, hostile())))
	defer odd.Close()
	for _, width := range []int{320, 360, 700, 1000, 1240, 1280, 1366, 1440, 1600, 1920} {
		for _, page := range []string{odd.URL, here.URL, here.URL + "/?name=invoice/4711", here.URL + "/?name=index", there.URL, there.URL + "/?name=deploy"} {
			b.open(page, width, 800, "light")
			var hidden []string
			b.eval(`[...document.querySelectorAll(".sheet, td")].filter(e => e.scrollWidth > e.clientWidth && !e.querySelector("svg.graph"))
				.map(e => e.className + " " + e.scrollWidth + ">" + e.clientWidth + " " + e.innerText.slice(0, 40))`, &hidden)
			if len(hidden) > 0 {
				t.Errorf("%s in a window of %d: %q", page, width, hidden)
			}
		}
	}
}

// usual is a store with a name that is held and waited for on hosts with usual names, since last week.
type usual struct{}

func (usual) Inspect(context.Context, string) (backends.State, error) {
	owner := backends.Owner{Host: "ip-10-0-13-37.eu-central-1.compute.internal", PID: 4_194_304, Label: "billing-worker-eu"}
	since := time.Now().Add(-7*24*time.Hour - 5*time.Hour)
	return backends.State{
		Resource: backends.Resource{Name: "deploy", Kind: backends.Mutex, Capacity: 1},
		Token:    1795877939885525,
		Holders: []backends.Holder{{
			ID: backends.GrantID{Client: 1, Seq: 1}, Weight: 1, Token: 1795877939885525, Owner: owner, Since: since, Expires: 9876 * time.Millisecond,
		}},
		Waiters: []backends.Waiter{{ID: backends.GrantID{Client: 2, Seq: 1}, Weight: 1, Owner: owner, Since: since}},
	}, nil
}

func (u usual) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return func(yield func(backends.State, error) bool) { yield(u.Inspect(ctx, "")) }
}

// populate has names held, waited for and lost.
func populate(t *testing.T, names []string) *manager.Manager {
	m := newManager(t, manager.WithSites(), manager.WithLabel(`<b>label</b>`+strings.Repeat("L", 500)))
	var last *manager.Lease
	for _, name := range names {
		lease := hold(t, m.Lock(name))
		wait(t, m, t.Context(), m.Lock(name))
		if last != nil {
			wait(t, m, last.Context(), m.Lock(name))
		}
		last = lease
	}
	return m
}

func TestThePageFitsEveryWindow(t *testing.T) {
	b := newBrowser(t)
	if b == nil {
		return
	}
	m := populate(t, append(hostile(), "nightly-backup", "account/4711/monthly-statement"))
	srv := httptest.NewServer(debug.Handler(m, debug.AllowBreak()))
	defer srv.Close()
	for _, width := range []int{320, 390, 800, 1280, 2400} {
		for _, page := range []string{"/", "/?name=" + strings.Repeat("W", 1024), "/?name=nightly-backup"} {
			b.open(srv.URL+page, width, 800, "light")
			var got struct{ Wide, Window int }
			b.eval(`({wide: document.documentElement.scrollWidth, window: innerWidth})`, &got)
			if got.Wide > got.Window || got.Window != width {
				t.Errorf("%.12s is %d wide in a window of %d (%d)", page, got.Wide, width, got.Window)
			}
		}
	}
	// A name of usual length stands on one or two lines, whatever the width of the window.
	for _, width := range []int{320, 600, 1200, 2400} {
		b.open(srv.URL+"/?q=account", width, 800, "light")
		var height int
		b.eval(`Math.round(document.querySelector("td.name a").getBoundingClientRect().height)`, &height)
		if height < 10 || height > 50 {
			t.Errorf("a name is %d high in a window of %d", height, width)
		}
	}
	if list := b.complaints(); list != nil {
		t.Errorf("%q", list)
	}
}

func TestHostileNamesRunNoScript(t *testing.T) {
	b := newBrowser(t)
	if b == nil {
		return
	}
	m := populate(t, hostile())
	srv := httptest.NewServer(debug.Handler(m, debug.AllowBreak()))
	defer srv.Close()
	visit := func(target string) {
		b.open(srv.URL+"/"+target, 1280, 800, "light")
		var got struct {
			Ran     bool
			Foreign int
		}
		b.eval(`new Promise(done => { // after an update too
			dispatchEvent(new Event("visibilitychange"));
			document.querySelectorAll("[title]").forEach(e => e.dispatchEvent(new Event("mouseover")));
			setTimeout(() => done({ran: "ran" in window, foreign: document.querySelectorAll("img,iframe,[onload],[onerror]").length}), 50)
		})`, &got)
		if got.Ran || got.Foreign != 0 {
			t.Errorf("%q: %+v", target, got)
		}
		if list := b.complaints(); list != nil {
			t.Errorf("%q: %q", target, list)
		}
	}
	visit("")
	var links []string
	b.eval(`[...document.querySelectorAll("td.name a")].map(a => a.getAttribute("href"))`, &links)
	if len(links) != len(hostile()) {
		t.Errorf("%d names", len(links))
	}
	for _, link := range links {
		visit(link)
	}
	for _, name := range hostile()[:6] {
		visit("?q=" + strings.NewReplacer("%", "%25", "&", "%26", "#", "%23", "+", "%2b", " ", "%20").Replace(name))
	}
}

func TestThePageIsLiveWithoutAReload(t *testing.T) {
	b := newBrowser(t)
	if b == nil {
		return
	}
	m := newManager(t)
	hold(t, m.Lock("first"))
	srv := httptest.NewServer(debug.Handler(m))
	defer srv.Close()
	b.open(srv.URL, 1280, 800, "light")
	b.eval(`window.row = document.querySelector("tbody tr"); window.loaded = "once"; 0`, nil)
	hold(t, m.Lock("second"))
	seen := func(name string) string {
		return fmt.Sprintf(`new Promise(done => {
			const live = document.getElementById("live");
			const look = () => { if (live.innerText.includes(%q)) done(window.loaded + " " + window.row.isConnected) };
			new MutationObserver(look).observe(live, {subtree: true, childList: true, characterData: true});
			look();
		})`, name)
	}
	var got string
	if b.eval(seen("second"), &got); got != "once true" {
		t.Errorf("after an update: %s", got)
	}
	b.eval(`{ const s = document.getElementById("search"); s.value = "sec"; s.dispatchEvent(new Event("input")) }`, nil)
	if b.eval(seen("1 of 2"), &got); got != "once false" { // the first row is gone
		t.Errorf("after a search: %s", got)
	}
	var address string
	if b.eval("location.search", &address); address != "?q=sec" {
		t.Errorf("the address does not tell the search: %s", address)
	}
	if list := b.complaints(); list != nil {
		t.Errorf("%q", list)
	}
	srv.Close()
	b.eval(`new Promise(done => {
		const state = document.getElementById("live-state");
		const look = () => { if (state.className === "stale") done() };
		new MutationObserver(look).observe(state, {attributes: true});
		look();
	})`, nil)
}

// Of ten thousand names a browser gets the page that matters, keeps it up to date, and finds any.
func TestABrowserShowsTenThousandNames(t *testing.T) {
	b := newBrowser(t)
	if b == nil {
		return
	}
	m := newManager(t)
	for i := range 10_000 {
		hold(t, m.Lock(fmt.Sprintf("account/%05d", i)))
	}
	wait(t, m, t.Context(), m.Lock("account/07777"))
	srv := httptest.NewServer(debug.Handler(m))
	defer srv.Close()
	b.open(srv.URL, 1280, 800, "light")
	var got struct {
		First string
		Rows  int
		Text  string
	}
	const look = `({first: document.querySelector("td.name a").innerText, rows: document.querySelectorAll("tbody tr").length, text: document.querySelector(".pages").innerText})`
	if b.eval(look, &got); got.First != "account/07777" || got.Rows != 200 || !strings.Contains(got.Text, "10\u00a0000\u00a0names") {
		t.Errorf("%+v", got)
	}
	wait(t, m, t.Context(), m.Lock("account/00042"))
	b.eval(`new Promise(done => { // the page is live
		const live = document.getElementById("live");
		const look = () => { if (document.querySelectorAll("tr.waits").length === 2) done() };
		new MutationObserver(look).observe(live, {subtree: true, childList: true, attributes: true});
		look();
	})`, nil)
	b.open(srv.URL+"/?q=09999", 1280, 800, "light")
	if b.eval(look, &got); got.First != "account/09999" || got.Rows != 1 {
		t.Errorf("found %+v", got)
	}
	if list := b.complaints(); list != nil {
		t.Errorf("%q", list)
	}
}

// A window shows the colours that its user prefers. With LOCKKEEPER_SCREENSHOTS=1 the test writes
// the pictures of docs/img.
func TestThePageIsLightOrDark(t *testing.T) {
	b := newBrowser(t)
	if b == nil {
		return
	}
	m := newManager(t, manager.WithSites(), manager.WithLabel("billing"))
	scene(t, m)
	page := debug.Handler(m)
	waited, acquired := minutes(40)
	debug.Remember(page, waited, acquired)
	srv := httptest.NewServer(page)
	defer srv.Close()
	for _, shot := range []struct {
		file, page, scheme string
		width, height      int
	}{
		{"debug-light.png", "/", "light", 1440, 760},
		{"debug-dark.png", "/", "dark", 1440, 760},
		{"debug-phone.png", "/", "light", 390, 844},
		{"debug-name.png", "/?name=invoice/4711", "dark", 1440, 760},
	} {
		b.open(srv.URL+shot.page, shot.width, shot.height, shot.scheme)
		var paper string
		b.eval(`getComputedStyle(document.body).backgroundColor`, &paper)
		if dark := paper == "rgb(15, 18, 24)"; dark != (shot.scheme == "dark") {
			t.Errorf("%s: the paper is %s", shot.file, paper)
		}
		picture := b.screenshot()
		if len(picture) > 150<<10 {
			t.Errorf("%s has %d bytes", shot.file, len(picture))
		}
		if os.Getenv("LOCKKEEPER_SCREENSHOTS") == "" {
			continue
		}
		dir := filepath.Join("..", "..", "docs", "img")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, shot.file), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// minutes are so many slots in which the service of scene was busy, and then got into trouble.
func minutes(slots int) (waited map[string][]int64, acquired []uint64) {
	waited = make(map[string][]int64)
	for i := range slots {
		busy := int64(i * i % 3)
		for name, most := range map[string]int64{"account/9": 1, "invoice/4711": 4, "invoice/4713": 1, "index": 1} {
			n := busy % 2 * int64(1-len(name)%2)
			if i > slots-int(most)*5 {
				n = most
			}
			waited[name] = append(waited[name], n)
		}
		acquired = append(acquired, uint64(i%5/3)) // all in all less than in scene
	}
	return waited, acquired
}

// scene is what a service with some trouble looks like.
func scene(t *testing.T, m *manager.Manager) {
	for i := range 9 {
		name := fmt.Sprintf("invoice/%d", 4711+i)
		_ = m.Lock(name).Do(t.Context(), func(context.Context) error { return nil })
		if i%2 == 0 {
			hold(t, m.Lock(name))
		}
	}
	leading, stop := make(chan struct{}), make(chan struct{})
	led, ctx := make(chan struct{}), t.Context()
	go func() {
		defer close(led)
		_ = m.Lead(ctx, "scheduler", func(context.Context, uint64) error { close(leading); <-stop; return nil })
	}()
	t.Cleanup(func() { close(stop); <-led })
	<-leading
	for range 3 {
		hold(t, m.Semaphore("uploads", 4).Permits(1))
	}
	first, second := hold(t, m.Lock("account/7")), hold(t, m.Lock("account/9"))
	wait(t, m, first.Context(), m.Lock("account/9"))
	wait(t, m, second.Context(), m.Lock("invoice/4711"))
	wait(t, m, first.Context(), m.Lock("invoice/4713"))
	for range 3 {
		wait(t, m, t.Context(), m.Lock("invoice/4711"))
	}
	hold(t, m.RWLock("index").Read())
	wait(t, m, t.Context(), m.RWLock("index").Write())
	lost := hold(t, m.Lock("nightly-backup"), manager.HoldAtMost(time.Millisecond))
	<-lost.Context().Done()
}
