package manager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// retire lets the keepers of names out of use retire.
func retire(t *testing.T, m *Manager) {
	t.Helper()
	sleep(time.Second)
	if n := len(m.Stats().Resources); n != 0 {
		t.Errorf("%d names are live", n)
	}
}

func TestHistoryKeepsWhatRetiredNamesDid(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		for range 3 {
			mustRelease(t, mustAcquire(t, m.Lock("deploy")), mustAcquire(t, m.Lock("other")))
			retire(t, m)
		}
		live := mustAcquire(t, m.Lock("deploy"))
		done, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := m.Lock("unused").Acquire(done)
		wantErr(t, err, context.Canceled)
		h := m.Stats().History
		if len(h) != 2 || h["deploy"].Acquisitions != 4 || h["deploy"].Releases != 3 || h["unused"].Cancelled != 1 {
			t.Errorf("history: %+v", h)
		}
		mustRelease(t, live)
	}, WithHistory(OnlyNames("deploy", "unused")))
}

func TestHistoryCollapsesNames(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		for i := range 50 {
			mustRelease(t, mustAcquire(t, m.Lock(fmt.Sprint("user:", i))))
			mustRelease(t, mustAcquire(t, m.All(m.Lock(fmt.Sprint("user:", i)), m.Lock("panic"))))
		}
		for range 2 { // before and after they have retired
			h := m.Stats().History
			if len(h) != 1 || h["user:*"].Acquisitions != 100 || h["user:*"].Holds.Count() != 100 {
				t.Errorf("history: %+v", h)
			}
			retire(t, m)
		}
	}, WithHistory(func(name string) (string, bool) {
		if name == "panic" {
			panic("no key")
		}
		before, _, ok := strings.Cut(name, ":")
		return before + ":*", ok
	}))
}

func TestRowsSayUnderWhichKeyTheyCount(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		mustRelease(t, mustAcquire(t, m.Lock("user:1")), mustAcquire(t, m.Lock("other")))
		rows := m.Stats().Resources
		if len(rows) != 2 || rows[0].Name != "other" || rows[0].Key != "" || rows[1].Key != "user:*" {
			t.Errorf("rows: %+v", rows)
		}
	}, WithHistory(func(name string) (string, bool) {
		before, _, ok := strings.Cut(name, ":")
		return before + ":*", ok
	}))
}

// Keys beyond the bound are never kept, and those that are kept stay.
func TestHistoryIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		for range 2 {
			for i := range MaxHistory + 100 {
				mustRelease(t, mustAcquire(t, m.Lock(fmt.Sprint("name ", i))))
			}
			retire(t, m)
		}
		h := m.Stats().History
		if len(h) != MaxHistory || m.Stats().Totals.Acquisitions != 2*(MaxHistory+100) {
			t.Errorf("%d keys, %+v", len(h), m.Stats().Totals)
		}
		for key, c := range h {
			if c.Acquisitions != 2 {
				t.Errorf("%s: %d", key, c.Acquisitions)
			}
		}
	}, WithHistory(func(name string) (string, bool) { return name, true }))
}

// While names retire and come back under a reader's eyes, no counter of a key goes back.
func TestHistoryNeverGoesBack(t *testing.T) {
	m := newManager(t, memory.New(), WithHistory(func(name string) (string, bool) { return name[:1], true }))
	const goroutines, rounds = 4, 2_000
	var wg, reader sync.WaitGroup
	stop := make(chan struct{})
	reader.Go(func() {
		last := map[string]Counters{}
		for {
			h := m.Stats().History
			for key, c := range last {
				if h[key].Acquisitions < c.Acquisitions || h[key].Releases < c.Releases {
					t.Errorf("%s: %+v after %+v", key, h[key], c)
					return
				}
			}
			last = h
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				name := fmt.Sprint(string(rune('a'+g%2)), i%5)
				mustRelease(t, mustAcquire(t, m.Lock(name)))
				if k := m.keeper(name); i%3 == 0 {
					k.mail.Tell(sweep{})
					k.mail.Tell(sweep{})
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	reader.Wait()
	h := m.Stats().History
	if keys := slices.Sorted(maps.Keys(h)); !slices.Equal(keys, []string{"a", "b"}) ||
		h["a"].Acquisitions != goroutines/2*rounds || h["b"].Releases != goroutines/2*rounds {
		t.Errorf("history: %+v", h)
	}
}

func TestWithoutTheOptionThereIsNoHistory(t *testing.T) {
	m := newManager(t, memory.New())
	mustRelease(t, mustAcquire(t, m.Lock("a")))
	if h := m.Stats().History; h != nil {
		t.Errorf("history: %+v", h)
	}
	_, err := New(memory.New(), WithHistory(nil))
	wantErr(t, err, ErrInvalid)
}
