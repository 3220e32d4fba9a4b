package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

// reader returns a reader of the store, which is closed at the end of the test.
func reader(t *testing.T, text string) store.Reader {
	t.Helper()
	s, err := store.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	r, closes, err := store.Read(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closes(context.Background()) })
	return r
}

// listed returns the names that a reader lists, with their states.
func listed(t *testing.T, r store.Reader) map[string]backends.State {
	t.Helper()
	all := make(map[string]backends.State)
	for state, err := range r.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all[state.Resource.Name] = state
	}
	return all
}

func TestAReaderOfADirectorySeesHoldersAndTakesNoPartInIt(t *testing.T) {
	dir := t.TempDir() + "/locks"
	s, err := store.Parse(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	request := backends.Request{
		Resource: backends.Resource{Name: "db", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1,
		Owner: backends.Owner{Host: "here", PID: 1, Label: "backup"},
	}
	g, err := backends.TryAcquire(t.Context(), b, request)
	if err != nil {
		t.Fatal(err)
	}
	clients := entries(t, dir+"/.clients")
	r := reader(t, dir)
	state, err := r.Inspect(t.Context(), "db")
	if err != nil || len(state.Holders) != 1 || state.Holders[0].Token != g.Token || state.Holders[0].Owner.Label != "backup" {
		t.Errorf("Inspect = %+v, %v; want the holder of token %d", state, err, g.Token)
	}
	if all := listed(t, r); len(all) != 1 || len(all["db"].Holders) != 1 {
		t.Errorf("List: %+v; want db alone, with its holder", all)
	}
	if state, err := r.Inspect(t.Context(), "other"); err != nil || state.Resource.Kind != 0 || len(state.Holders) > 0 {
		t.Errorf("Inspect of a name out of use = %+v, %v", state, err)
	}
	if n := entries(t, dir+"/.clients"); n != clients {
		t.Errorf("%d clients; %d before the reader came", n, clients)
	}
	if err := errors.Join(backends.Release(t.Context(), b, g), b.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if all := listed(t, r); len(all) > 0 {
		t.Errorf("List after the end of the holder: %+v", all)
	}
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestAReaderMakesNoDirectory(t *testing.T) {
	dir := t.TempDir() + "/missing"
	r := reader(t, dir)
	if state, err := r.Inspect(t.Context(), "db"); err != nil || len(state.Holders) > 0 || len(state.Waiters) > 0 {
		t.Errorf("Inspect = %+v, %v", state, err)
	}
	if all := listed(t, r); len(all) > 0 {
		t.Errorf("List: %+v", all)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v; want none", err)
	}
}

func TestAReaderOfAServerIsItsClient(t *testing.T) {
	r := reader(t, "redis://127.0.0.1:1")
	if b, ok := r.(backends.Backend); !ok || b.Capabilities().Name != "redis" {
		t.Errorf("a %T", r)
	}
}
