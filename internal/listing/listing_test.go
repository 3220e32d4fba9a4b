package listing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/internal/listing"
)

// directory is a lock directory that is only read.
type directory string

func (d directory) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return file.List(ctx, string(d))
}

// A name that cannot be read hides no other, and no name hides the error.
func TestAListingHasWhatCanBeReadAndTheErrorOfTheRest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	store, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close(t.Context()) }()
	for _, name := range []string{"z", "\xff<b>", "a"} {
		r := backends.Resource{Name: name, Kind: backends.Mutex, Capacity: 1}
		owner := backends.Owner{Host: "db1", PID: 4711, Label: "backup"}
		if _, err := backends.Acquire(t.Context(), store, backends.Request{Resource: r, Weight: 1, Tokens: 1, Owner: owner}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/hosts", filepath.Join(dir, "broken.table")); err != nil {
		t.Fatal(err)
	}
	states, err := listing.Read(t.Context(), directory(dir))
	if err == nil || !strings.Contains(err.Error(), "broken.table") {
		t.Errorf("error %v", err)
	}
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, time.FixedZone("", 3600))
	var text bytes.Buffer
	if err := listing.Write(&text, listing.Of("file:x", at, states, err)); err != nil {
		t.Fatal(err)
	}
	var got listing.Listing
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Names) != 3 || got.Names[0].Name != "a" || got.Names[1].Name != "z" || string(got.Names[2].Bytes) != "\xff<b>" ||
		got.Store != "file:x" || !got.At.Equal(at) || !strings.Contains(got.Error, "broken.table") {
		t.Fatalf("got %s", text.String())
	}
	h := got.Names[0].Holders[0]
	if h.Label != "backup" || h.PID != 4711 || h.Host != "db1" || h.Token == 0 || h.Permits != 1 || h.Since.IsZero() || h.Foreign {
		t.Errorf("holder %+v", h)
	}
	one := listing.OneOf("file:x", at, &states[0])
	text.Reset()
	if err := listing.Write(&text, one); err != nil || one.Name != "a" || !strings.Contains(text.String(), `"waiters": []`) {
		t.Errorf("%v: %s", err, text.String())
	}
}

// refusing is a store of which no name can be read.
type refusing int

func (n refusing) List(context.Context) iter.Seq2[backends.State, error] {
	return func(yield func(backends.State, error) bool) {
		for range n {
			if !yield(backends.State{}, backends.ErrPermission) {
				return
			}
		}
	}
}

// A directory that may not be read has an error for each of its names, and the reader a few lines.
func TestErrorsOfManyNamesAreToldInAFewLines(t *testing.T) {
	for n, want := range map[refusing]string{
		3: strings.Repeat("permission denied\n", 2) + "permission denied",
		4: strings.Repeat("permission denied\n", 3) + "and 1 more", 100: strings.Repeat("permission denied\n", 3) + "and 97 more",
	} {
		_, err := listing.Read(t.Context(), n)
		if err == nil || err.Error() != want || !errors.Is(err, backends.ErrPermission) {
			t.Errorf("%d names: %v; want %q", n, err, want)
		}
	}
	form := listing.Of("file:x", time.Now(), []backends.State{{Holders: []backends.Holder{{Detached: true}, {}}}}, nil)
	if h := form.Names[0].Holders; !h[0].Detached || h[1].Detached {
		t.Errorf("%+v; want the first detached", h)
	}
}
