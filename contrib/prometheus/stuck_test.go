package lkprometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/manager/debug"
)

// stuckName is held for good.
const stuckName = "nightly-backup"

// service is a process as in production, with all on that shows what its locks do: args are the
// directory of the store and the label. Of each line that it is told it acquires the name once.
func service(c *proctest.Child) error {
	store, err := file.New(c.Args[0])
	if err != nil {
		return err
	}
	m, err := manager.New(store, manager.WithLabel(c.Args[1]), manager.WithSites(), manager.WithProfiles(),
		manager.WithHistory(manager.OnlyNames(stuckName)), manager.WithSlowLog(time.Millisecond, time.Millisecond),
		manager.WithLogger(slog.New(slog.NewTextHandler(os.Stdout, nil))))
	if err != nil {
		return err
	}
	collector, err := New(m)
	if err != nil {
		return err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collector)
	mux := http.NewServeMux()
	mux.Handle("/locks", debug.Handler(m))
	mux.Handle("/metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.Handle("/holders", pprof.Handler("lockkeeper.holders"))
	mux.Handle("/waiters", pprof.Handler("lockkeeper.waiters"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(l, mux) }()
	c.Say("http://%v/", l.Addr())
	var lease *manager.Lease
	for {
		switch line, ok := c.Listen(); {
		case !ok:
			runtime.KeepAlive(lease) // a lease that is dropped is released
			return nil
		case line == "hold":
			lease = stuckHolder(c, m)
		default:
			go stuckWaiter(m)
		}
	}
}

func stuckHolder(c *proctest.Child, m *manager.Manager) *manager.Lease {
	_, _, line, _ := runtime.Caller(0)
	lease, err := m.Lock(stuckName).Acquire(context.Background()) // one line below
	c.Say("held at stuck_test.go:%d %v", line+1, err)
	return lease
}

func stuckWaiter(m *manager.Manager) {
	if lease, err := m.Lock(stuckName).Acquire(context.Background()); err == nil {
		_ = lease.Release() // not while the test runs
	}
}

// aService is one of the processes, as its operator sees it.
type aService struct {
	*proctest.Process
	url, pid string
	lines    []string // that it has written
}

func startService(t *testing.T, dir, label string) *aService {
	p := proctest.Start(t, "service", dir, label)
	return &aService{Process: p, url: "http://" + p.Expect("http://"), pid: fmt.Sprint(p.PID())}
}

func (s *aService) get(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer.StatusCode, err)
	}
	return string(text)
}

// says returns the first line with that text: of those it has written, or will.
func (s *aService) says(t *testing.T, text string) string {
	t.Helper()
	for i := 0; ; i++ {
		if i == len(s.lines) {
			line, ok := s.Listen()
			if !ok {
				t.Fatalf("it has ended: %q", s.lines)
			}
			s.lines = append(s.lines, line)
		}
		if strings.Contains(s.lines[i], text) {
			return s.lines[i]
		}
	}
}

func expect(t *testing.T, where, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not tell %q: %s", where, part, text)
		}
	}
}

// A name is stuck in production: a process holds it and does not come back, another goroutine of
// the process waits, and another process. Nobody has prepared for it but by options. On the page, in
// lockkeeper top, in the metrics, in the log and in the profiles an operator finds who holds it, since
// when, from which line of code, and who waits.
func TestAStuckNameIsFoundFromOutsideInFivePlaces(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	dir := filepath.Join(t.TempDir(), "locks")
	before := time.Now().Add(-time.Second) // a file system may round
	billing, shop := startService(t, dir, "billing"), startService(t, dir, "shop")
	billing.Say("hold")
	site, err, _ := strings.Cut(strings.TrimPrefix(billing.says(t, "held at "), "held at "), " ")
	if err != "<nil>" {
		t.Fatal(err)
	}
	after := time.Now().Add(time.Second)
	billing.Say("wait")
	shop.Say("wait")

	// The log: of the holder, of what waits beside it, and of what waits elsewhere.
	held := billing.says(t, "a hold is long")
	expect(t, "the log", held, "name="+stuckName, site, "label=billing", "pid="+billing.pid, "since=", "token=")
	expect(t, "the log", billing.says(t, site+" token="), "a wait is long", "stuck_test.go:", "holder=", "since=", "label=billing")
	waits := shop.says(t, "a wait is long")
	expect(t, "the log", waits, "stuck_test.go:", "label=shop", "pid="+shop.pid)
	if !strings.Contains(waits, "another process") { // so it says if the store is slow to answer
		expect(t, "the log", waits, "holder=\"pid "+billing.pid+" on ", "(billing)", "since ")
	}

	// The page: of the process that holds, for people and for programs.
	list, page := billing.get(t, "locks"), billing.get(t, "locks?name="+stuckName)
	expect(t, "the list", list, "billing (pid "+billing.pid, stuckName, site, "1\u00A0waiting")
	expect(t, "the page", page, site, "<bdi>billing</bdi>", "<bdi>"+billing.pid+"</bdi>", "<bdi>shop</bdi>", "<bdi>"+shop.pid+"</bdi>")
	var stats manager.Stats
	if err := json.Unmarshal([]byte(billing.get(t, "locks?format=json")), &stats); err != nil {
		t.Fatal(err)
	}
	r := stats.Resources[0]
	if h := r.Holders[0]; stats.Label != "billing" || fmt.Sprint(stats.PID) != billing.pid || !strings.HasSuffix(h.Site, site) ||
		h.Since.Before(before) || h.Since.After(after) || !strings.Contains(r.Waiters[0].Site, "stuck_test.go:") {
		t.Errorf("the JSON tells %+v", stats)
	}
	expect(t, "the page elsewhere", shop.get(t, "locks"), "not this process", "1\u00A0waiting")
	expect(t, "the page elsewhere", shop.get(t, "locks?name="+stuckName), "<bdi>billing</bdi>", "<bdi>"+billing.pid+"</bdi>")

	// The metrics.
	const series = `{manager="billing",name="` + stuckName + `",store="file"} `
	scraped := billing.get(t, "metrics")
	expect(t, "the scrape", scraped, "lockkeeper_held"+series+"1\n", "lockkeeper_waiting"+series+"1\n")
	for _, age := range []string{"lockkeeper_longest_hold_seconds", "lockkeeper_oldest_waiter_seconds"} {
		if strings.Contains(scraped, age+series+"0\n") {
			t.Errorf("%s is zero: %s", age, scraped)
		}
		expect(t, "the scrape", scraped, age+series)
	}
	expect(t, "the scrape elsewhere", shop.get(t, "metrics"), "lockkeeper_held"+strings.Replace(series, "billing", "shop", 1)+"0\n",
		"lockkeeper_waiting"+strings.Replace(series, "billing", "shop", 1)+"1\n")

	// The profiles.
	expect(t, "the profile of holders", billing.get(t, "holders?debug=1"), "total 1\n", ".stuckHolder+", "/"+site)
	expect(t, "the profile of waiters", billing.get(t, "waiters?debug=1"), "total 1\n", ".stuckWaiter+")
	expect(t, "the profile of waiters elsewhere", shop.get(t, "waiters?debug=1"), "total 1\n", ".stuckWaiter+")

	expectTop(t, dir, billing, shop)
}

// expectTop looks with lockkeeper top, which knows the store and none of the processes.
func expectTop(t *testing.T, dir string, billing, shop *aService) {
	t.Helper()
	top := filepath.Join(t.TempDir(), "lockkeeper")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", top, "./cmd/lockkeeper")
	build.Dir = filepath.Join("..", "..")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	p := proctest.Run(t, exec.CommandContext(t.Context(), top, "top", "--store", "file:"+dir))
	var lines []string
	for len(lines) < 4 {
		line, ok := p.Listen()
		if !ok {
			t.Fatal(p.Wait())
		}
		lines = append(lines, line)
	}
	expect(t, "top", lines[0], "1 held")
	expect(t, "top", lines[1], "SINCE", "WHO", "TOKEN")
	expect(t, "top", lines[2], stuckName, "held", "billing (pid "+billing.pid)
	expect(t, "top", strings.Join(lines[3:], "\n"), stuckName, "waits, 1.", "shop (pid "+shop.pid)
}
