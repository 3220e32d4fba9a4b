//go:build unix

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/listing"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

// site is lockkeeper serve, and a client of it.
type site struct {
	process
	url    string
	client *http.Client
}

// serveOf starts lockkeeper serve, and waits until it listens.
func serveOf(t *testing.T, in string, flags ...string) site {
	t.Helper()
	p := start(t, in, append([]string{"serve"}, flags...)...)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	c := &http.Client{Transport: tr, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return site{p, "http://" + p.Expect("http://"), c}
}

// ask sends a request; headers are pairs, of which Host is one too.
func (s site) ask(method, query, form string, headers ...string) (status int, body string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+query, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// get asks for a page that must come with this status.
func (s site) get(query string, want int) string {
	s.t.Helper()
	status, body := s.ask(http.MethodGet, query, "")
	if status != want {
		s.t.Errorf("%s: %d, want %d", query, status, want)
	}
	return body
}

// end ends the process as a user does.
func (s site) end() {
	s.t.Helper()
	s.Signal(os.Interrupt)
	s.ends(0)
}

func TestServeShowsAStoreThatOthersUse(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		s := serveOf(t, in)
		contains(t, s.get("", 200), "No name is in use.", "store <bdi>"+in+"</bdi>")
		holder := hold(t, in, "--label", "the <first>", "a")
		waiter := start(t, in, "run", "--label", "the second", "a", "--", "true")
		untilWaiting(t, client(t, in), "a", 1)

		var listed, served listing.Listing
		text := strings.Join(output(t, start(t, in, "ls", "--json")), "\n")
		if err := json.Unmarshal([]byte(text), &listed); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(s.get("?format=json", 200)), &served); err != nil {
			t.Fatal(err)
		}
		for _, l := range []*listing.Listing{&listed, &served} {
			l.Names[0].Holders[0].Expires = 0 // time has passed between the looks
		}
		if served.Store != in || !reflect.DeepEqual(served.Names, listed.Names) {
			t.Errorf("served %+v, listed %+v", served, listed)
		}
		h, w := served.Names[0].Holders[0], served.Names[0].Waiters[0]
		for _, page := range []string{s.get("", 200), s.get("?name=a", 200)} {
			contains(t, page, "the &lt;first&gt;", "the second", fmt.Sprint(h.PID), fmt.Sprint(w.PID), h.Host, fmt.Sprint(h.Token))
		}
		if code, _ := s.ask(http.MethodPost, "?name=a", "confirm=yes"); code != http.StatusMethodNotAllowed {
			t.Errorf("it lets break: %d", code)
		}
		s.get("other", 404)
		s.end()
		holder.let()
		waiter.ends(0)
	})
}

// What breaks is a question of this page, answered with yes, where --allow-break is given.
func TestServeBreaksIfItIsAllowed(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		s := serveOf(t, in, "--allow-break")
		holder := hold(t, in, "--label", "it hangs", "a")
		contains(t, s.get("?name=a", 200), "Break…")
		status, page := s.ask(http.MethodPost, "?name=a", "", "Sec-Fetch-Site", "same-origin")
		if status != 200 {
			t.Errorf("question: %d", status)
		}
		contains(t, page, "Break it", "it hangs")
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://evil.example"}, {"Host", "evil.example"}} {
			if status, _ := s.ask(http.MethodPost, "?name=a", "confirm=yes", headers...); status != 403 {
				t.Errorf("%q: %d", headers, status)
			}
		}
		contains(t, s.get("?name=a", 200), "it hangs")
		if status, page := s.ask(http.MethodPost, "?name=a", "confirm=yes", "Sec-Fetch-Site", "same-origin"); status != 303 {
			t.Errorf("break: %d: %s", status, page)
		}
		contains(t, holder.ends(76), "lost")
		s.end()
	})
}

// A page of another site that has its own name lead to this machine learns nothing.
func TestServeOnLoopbackRefusesOtherHosts(t *testing.T) {
	s := serveOf(t, "file:"+t.TempDir()+"/locks", "--listen", "localhost:0")
	at, err := url.Parse(s.url)
	if err != nil || at.Hostname() != "localhost" {
		t.Fatalf("%v: the address is %s", err, s.url)
	}
	for host, want := range map[string]int{
		at.Host: 200, "localhost": 200, "LOCALHOST:1": 200, "127.0.0.1:" + at.Port(): 200, "127.8.9.1": 200, "[::1]:80": 200, "[::1]": 200,
		"evil.example": 403, "evil.example:" + at.Port(): 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403,
		"192.0.2.1": 403, "[2001:db8::1]": 403, "0.0.0.0": 403,
	} {
		if status, page := s.ask(http.MethodGet, "", "", "Host", host); status != want || strings.Contains(page, "<html") != (want == 200) {
			t.Errorf("host %q: %d, want %d", host, status, want)
		}
	}
	s.end()
}

// On every address of the machine a request may have any address, and the names of the machine.
func TestServeRefusesNamesThatOthersMayHaveMade(t *testing.T) {
	s := serveOf(t, "file:"+t.TempDir()+"/locks", "--listen", ":0", "--host", "locks.example.com", "--host", "locks", "--allow-break")
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"127.0.0.1:" + at.Port(): 200, "192.0.2.1:" + at.Port(): 200, "[2001:db8::1]": 200, "localhost": 200, machine: 200,
		"locks.example.com": 200, "LOCKS:80": 200, machine + ".evil.example": 403, "evil.example:" + at.Port(): 403, "192.0.2.1.evil.example": 403,
	} {
		if status, page := s.ask(http.MethodGet, "", "", "Host", host); status != want || strings.Contains(page, "<html") != (want == 200) {
			t.Errorf("host %q: %d, want %d", host, status, want)
		}
		if status, _ := s.ask(http.MethodPost, "?name=a", "", "Host", host, "Origin", "http://"+host); (status == 403) != (want == 403) {
			t.Errorf("a break by %q: %d, want %d", host, status, want)
		}
	}
	s.end()
}

// A signal ends it when the requests that have begun are answered, and leaves no trace of it.
func TestServeAnswersBeforeItEnds(t *testing.T) {
	r := server.Get(t)
	way := r.NewProxy(t)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		s := serveOf(t, "redis://"+way.Addr)
		s.get("", 200)
		asked, answer := make(chan struct{}, 16), make(chan struct{})
		way.Judge(func([]byte) redistest.Verdict {
			asked <- struct{}{}
			<-answer
			return redistest.Pass
		})
		got := make(chan string, 1)
		go func() {
			defer close(got)
			got <- s.get("", 200)
		}()
		<-asked
		s.Signal(sig)
		at, _ := url.Parse(s.url)
		for refused := false; !refused; {
			c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", at.Host)
			if refused = err != nil; !refused {
				c.Close()
			}
		}
		close(answer)
		contains(t, <-got, "No name is in use.")
		s.ends(0)
		way.Judge(nil)
	}
}

// What the store answers instead of names stands on the page, until it answers again.
func TestServeShowsThatItsStoreDoesNotAnswer(t *testing.T) {
	way := server.Get(t).NewProxy(t)
	s := serveOf(t, "redis://"+way.Addr)
	way.Judge(func([]byte) redistest.Verdict { return redistest.Cut })
	way.CutAll()
	contains(t, s.get("", 503), `role="alert"`, "unavailable")
	contains(t, s.get("?format=json", 503), `"error": `)
	contains(t, s.get("?name=a", 200), "unavailable")
	way.Judge(nil)
	s.get("", 200)
	s.end()
}

func TestServeRefusesBadUsage(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir() + "/locks"
	in := "file:" + dir
	for _, at := range []string{"nonsense", "127.0.0.1:65536", "127.0.0.1:no-such-service"} {
		contains(t, start(t, in, "serve", "--listen", at).ends(64), "--listen")
	}
	start(t, in, "serve", "a").ends(64)
	said := start(t, in, "serve", "--listen", taken.Addr().String()).ends(69)
	if contains(t, said, "cannot listen", "in use"); strings.Contains(said, "store") {
		t.Errorf("it blames the store: %s", said)
	}
	start(t, "memory:", "serve").ends(64)
	s := serveOf(t, in)
	contains(t, s.get("", 200), "No name is in use.")
	s.end()
	if _, err := os.Stat(dir); err == nil {
		t.Error("it has made the store")
	}
	contains(t, func() string {
		s := serveOf(t, in, "--listen", ":0")
		s.Signal(os.Interrupt)
		return s.ends(0)
	}(), "asks for no password")
}

// Names come from other processes, and may be anything.
func TestServeShowsHostileNames(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		m, err := manager.New(client(t, in), manager.WithLabel("<script>alert(1)</script>\u202E"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close(context.Background()) }()
		names := []string{
			"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "\u202Etxt.exe", "\xff\xfe\x00\x1b[2J\r\n", strings.Repeat("<", 1024),
		}
		for _, name := range names {
			if _, err := m.Lock(name).TryAcquire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s := serveOf(t, in)
		list := s.get("", 200)
		for _, name := range names {
			query := "?name=" + url.QueryEscape(name)
			contains(t, list, `href="`+strings.ReplaceAll(query, "+", "&#43;")+`"`)
			page := s.get(query, 200)
			contains(t, page, "&lt;script&gt;alert(1)&lt;/script&gt;")
			for _, bad := range []string{"<script>alert", "<img", "\u202E", "\x1b", "Nobody holds it."} {
				if strings.Contains(list+page, bad) {
					t.Errorf("%.20q: the page has %q", name, bad)
				}
			}
		}
		s.end()
	})
}
