package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const want = `leader 1 of 3, in a later term than the one before: true
leader 2 of 3, in a later term than the one before: true
leader 3 of 3, in a later term than the one before: true
`

func TestOutputInMemory(t *testing.T) {
	store := memory.New()
	wantOutput(t, store, store.Peer(), store.Peer())
}

func TestOutputOnRedis(t *testing.T) {
	s := redistest.Start(t)
	stores := make([]backends.Backend, 3)
	for i := range stores {
		b, err := redis.New(s.Client(t))
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = b
	}
	wantOutput(t, stores...)
}

func wantOutput(t *testing.T, stores ...backends.Backend) {
	t.Helper()
	var out strings.Builder
	if err := elect(t.Context(), &out, stores...); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTheNextInstanceLeadsWhenTheLeaderStops(t *testing.T) {
	s := redistest.Start(t)
	start := func() (lines *bufio.Scanner, stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- stand(ctx, w, s.Addr)
			w.Close()
		}()
		return bufio.NewScanner(r), func() {
			cancel()
			go func() { _, _ = io.Copy(io.Discard, r) }()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("an instance that was stopped: %v", err)
			}
		}
	}
	first, stopFirst := start()
	if !first.Scan() || !strings.HasPrefix(first.Text(), "leading, in term ") {
		t.Fatalf("the first says %q", first.Text())
	}
	second, stopSecond := start()
	stopFirst()
	if !second.Scan() || !strings.HasPrefix(second.Text(), "leading, in term ") {
		t.Errorf("the second says %q", second.Text())
	}
	stopSecond()
}
