package lkhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

// byPath claims the lock with the name of the path, for requests that write.
func byPath(m *manager.Manager) func(*http.Request) (manager.Claim, bool) {
	return func(r *http.Request) (manager.Claim, bool) {
		return m.Lock(strings.TrimPrefix(r.URL.Path, "/")), r.Method != http.MethodGet
	}
}

// serve runs a server of h behind middleware.
func serve(
	t *testing.T, claim func(*http.Request) (manager.Claim, bool), h http.HandlerFunc, opts ...Option,
) *httptest.Server {
	t.Helper()
	turns, err := New(claim, opts...)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(turns(h))
	t.Cleanup(s.Close)
	return s
}

// send returns the status, the Retry-After and the body of the answer.
func send(ctx context.Context, s *httptest.Server, method, path string) (status int, retry, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, nil)
	if err != nil {
		return 0, "", "", err
	}
	a, err := s.Client().Do(r)
	if err != nil {
		return 0, "", "", err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a.StatusCode, a.Header.Get("Retry-After"), strings.TrimSpace(string(b)), err
}

func want(t *testing.T, s *httptest.Server, method, path string, status int, retry, body string) {
	t.Helper()
	gotStatus, gotRetry, gotBody, err := send(t.Context(), s, method, path)
	if gotStatus != status || gotRetry != retry || gotBody != body || err != nil {
		t.Errorf("%s %.20s: %d, retry after %q, %q, %v", method, path, gotStatus, gotRetry, gotBody, err)
	}
}

func acquire(t *testing.T, c manager.Claim) *manager.Lease {
	t.Helper()
	l, err := c.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release() })
	return l
}

func TestRequestsOfANameTakeTurns(t *testing.T) {
	m := managertest.Memory(t)
	busy := make(chan struct{}, 1)
	s := serve(t, byPath(m), func(w http.ResponseWriter, r *http.Request) {
		select {
		case busy <- struct{}{}:
		default:
			t.Error("two at a time")
		}
		if l := manager.LeaseFrom(r.Context()); l == nil || !l.Valid() {
			t.Error("no lease")
		}
		<-busy
	})
	ended := make(chan error)
	const n = 20
	for range n {
		go func() {
			status, _, _, err := send(context.Background(), s, "PUT", "/a")
			if err == nil && status != 200 {
				err = errors.New(http.StatusText(status))
			}
			ended <- err
		}()
	}
	for range n {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestAnswersSayWhyThereIsNoTurn(t *testing.T) {
	m := managertest.Memory(t)
	acquire(t, m.Lock("a"))
	ok := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "done") }
	s := serve(t, byPath(m), ok, WithWait(0))
	want(t, s, "PUT", "/a", 409, "1", "Conflict")
	want(t, s, "GET", "/a", 200, "", "done") // claims nothing
	want(t, s, "PUT", "/b", 200, "", "done")
	want(t, s, "PUT", "/", 400, "", "Bad Request")
	want(t, s, "PUT", "/"+strings.Repeat("x", 1025), 400, "", "Bad Request")

	s = serve(t, byPath(m), ok, WithWait(time.Nanosecond), WithBusyStatus(429), WithRetryAfter(1500*time.Millisecond))
	want(t, s, "PUT", "/a", 429, "2", "Too Many Requests")

	s = serve(t, byPath(m), ok, WithWait(0), WithErrorHandler(func(w http.ResponseWriter, r *http.Request, err error) {
		var held *manager.HeldError
		if !errors.As(err, &held) || r.URL.Path != "/a" {
			t.Error(err)
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	want(t, s, "PUT", "/a", 418, "", "")

	none := func(*http.Request) (manager.Claim, bool) { return manager.Claim{}, true }
	want(t, serve(t, none, ok), "PUT", "/a", 500, "", "Internal Server Error")

	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
	want(t, serve(t, byPath(m), ok), "PUT", "/b", 503, "1", "Service Unavailable")
}

func TestAWaitEndsWithItsRequest(t *testing.T) {
	m := managertest.Memory(t)
	l := acquire(t, m.Lock("a"))
	refused := make(chan error, 1)
	s := serve(t, byPath(m), func(http.ResponseWriter, *http.Request) { t.Error("it runs") },
		WithErrorHandler(func(_ http.ResponseWriter, _ *http.Request, err error) { refused <- err }))
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() {
		_, _, _, err := send(ctx, s, "PUT", "/a")
		sent <- err
	}()
	for end := time.Now().Add(2 * time.Minute); m.Stats().Resources[0].Waiting == 0; {
		if time.Now().After(end) {
			t.Fatal("the request does not wait")
		}
	}
	cancel()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-refused; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	acquire(t, m.Lock("a")) // nothing is left in the queue
}

func TestAHandlerIsToldOfTheLossOfItsLock(t *testing.T) {
	m := managertest.Memory(t)
	s := serve(t, byPath(m), func(w http.ResponseWriter, r *http.Request) {
		if err := m.Break(r.Context(), "a"); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
		var lost *manager.LostError
		if !errors.As(context.Cause(r.Context()), &lost) || lost.Reason != manager.Broken {
			t.Error(context.Cause(r.Context()))
		}
		http.Error(w, "lost", http.StatusServiceUnavailable)
	})
	want(t, s, "PUT", "/a", 503, "", "lost")
}

func TestAHandlerThatPanicsReleases(t *testing.T) {
	m := managertest.Memory(t)
	s := serve(t, byPath(m), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, _, _, err := send(t.Context(), s, "PUT", "/a"); err == nil {
		t.Error("there is an answer")
	}
	acquire(t, m.Lock("a"))
}

func TestNothingIsServedWhileTheStoreIsOutOfReach(t *testing.T) {
	r := redistest.Start(t)
	m := managertest.Redis(t, r, r.Prefix())
	s := serve(t, byPath(m), func(http.ResponseWriter, *http.Request) { t.Error("it runs") })
	r.Kill()
	want(t, s, "PUT", "/a", 503, "1", "Service Unavailable")
}

func TestBadOptionsAreRefused(t *testing.T) {
	claim := func(*http.Request) (manager.Claim, bool) { return manager.Claim{}, false }
	for what, o := range map[string]Option{
		"zero": {}, "wait": WithWait(-1), "status": WithBusyStatus(200), "retry": WithRetryAfter(0),
		"handler": WithErrorHandler(nil),
	} {
		if _, err := New(claim, o); !errors.Is(err, manager.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := New(nil); !errors.Is(err, manager.ErrInvalid) {
		t.Error(err)
	}
}
