package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// instances starts three instances of the service on one server.
func instances(t *testing.T, work job) [3]string {
	s := redistest.Start(t)
	var urls [3]string
	for i := range urls {
		locks, err := open(s.Client(t), fmt.Sprint("instance ", i))
		if err != nil {
			t.Fatal(err)
		}
		web := httptest.NewServer(handler(locks, work))
		t.Cleanup(func() {
			web.Close()
			if err := locks.Close(context.Background()); err != nil {
				t.Error(err)
			}
			http.DefaultClient.CloseIdleConnections()
		})
		urls[i] = web.URL + "/report"
	}
	return urls
}

func post(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Post(url, "", nil)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(body)
}

func TestTheJobRunsOnceAtATimeOverAllInstances(t *testing.T) {
	var running, runs atomic.Int32
	var last atomic.Uint64
	urls := instances(t, func(_ context.Context, token uint64) error {
		if running.Add(1) != 1 {
			t.Error("two at a time")
		}
		if before := last.Swap(token); token <= before {
			t.Errorf("token %d after %d", token, before)
		}
		runs.Add(1)
		running.Add(-1)
		return nil
	})
	const requests = 30
	var all sync.WaitGroup
	for i := range requests {
		all.Go(func() {
			if status, body := post(t, urls[i%3]); status != http.StatusOK || !strings.HasPrefix(body, "made under token ") {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	all.Wait()
	if n := runs.Load(); n != requests {
		t.Errorf("%d runs for %d requests", n, requests)
	}
}

func TestWhoDoesNotWaitIsToldThatItRunsElsewhere(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	urls := instances(t, func(context.Context, uint64) error {
		close(begun)
		<-end
		return nil
	})
	first := make(chan int)
	go func() {
		status, _ := post(t, urls[0])
		first <- status
	}()
	<-begun
	if status, body := post(t, urls[1]+"?wait=no"); status != http.StatusConflict || !strings.Contains(body, "busy") {
		t.Errorf("%d %s", status, body)
	}
	close(end)
	if status := <-first; status != http.StatusOK {
		t.Error(status)
	}
}
