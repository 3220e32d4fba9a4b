package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/listing"
)

// Programs read the same as people: the store, and who holds and waits for each name.
func TestLsWritesJSON(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		before := time.Now().Add(-time.Minute)
		holder := hold(t, in, "--label", "the <first>", "a")
		strange := hold(t, in, "--capacity", "3", "\xff")
		waiter := start(t, in, "run", "a", "--", "true")
		untilWaiting(t, client(t, in), "a", 1)

		var got listing.Listing
		text := strings.Join(output(t, start(t, in, "ls", "--json")), "\n")
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if got.Store != in || len(got.Names) != 2 {
			t.Fatalf("got %s", text)
		}
		host, _ := os.Hostname()
		a, x := got.Names[0], got.Names[1]
		if a.Name != "a" || a.Kind != "mutex" || a.Capacity != 1 || a.Bytes != nil || len(a.Holders) != 1 || len(a.Waiters) != 1 {
			t.Fatalf("got %s", text)
		}
		h, w := a.Holders[0], a.Waiters[0]
		if h.Label != "the <first>" || h.PID == 0 || h.Host != host || h.Permits != 1 || h.Token != a.Token || h.Foreign {
			t.Errorf("holder %+v", h)
		}
		if w.Label != "true" || w.PID == 0 || w.PID == h.PID || w.Since.Before(before) || h.Since.After(w.Since) {
			t.Errorf("waiter %+v after holder %+v", w, h)
		}
		if want := strings.HasPrefix(in, "redis"); (h.Expires > 0) != want {
			t.Errorf("expires in %v s", h.Expires)
		}
		if string(x.Bytes) != "\xff" || x.Kind != "semaphore" || x.Capacity != 3 || x.Holders[0].Permits != 1 {
			t.Errorf("got %+v", x)
		}
		holder.let()
		strange.let()
		waiter.ends(0)
		if text := strings.Join(output(t, start(t, in, "ls", "--json")), ""); !strings.Contains(text, `"names": []`) {
			t.Errorf("nobody holds or waits, but ls says %s", text)
		}
	})
}

func TestHelpAndVersionAreThereWithoutFlags(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	contains(t, strings.Join(output(t, start(t, in)), "\n"), "Usage: lockkeeper", "run", "ls", "version")
	word, flag := output(t, start(t, in, "version")), output(t, start(t, in, "--version"))
	if len(word) != 1 || len(flag) != 1 || word[0] != flag[0] {
		t.Errorf("version %q, --version %q", word, flag)
	}
}

// Without a label, people see which command holds the lock. Its arguments may be secret.
func TestWhoShowsTheCommand(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	h := hold(t, in, "a")
	line := output(t, start(t, in, "ls"))[1]
	contains(t, line, "sh (pid ")
	if strings.Contains(line, "echo") {
		t.Errorf("ls shows an argument: %q", line)
	}
	h.let()
}
