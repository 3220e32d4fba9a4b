package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/listing"
)

func TestShowTellsEverythingAboutAName(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		holder := hold(t, in, "--label", "the first", "a")
		waiters := []process{start(t, in, "run", "--label", "the second", "a", "--", "true")}
		untilWaiting(t, client(t, in), "a", 1)
		waiters = append(waiters, start(t, in, "run", "--label", "the third", "a", "--", "true"))
		state := until(t, client(t, in), "a", "two wait", func(s backends.State) bool { return len(s.Waiters) == 2 })

		lines := output(t, start(t, in, "show", "a"))
		host, _ := os.Hostname()
		h := state.Holders[0]
		want := [][]string{
			{"name", "a"},
			{"store", in},
			{"kind", "mutex"},
			{"capacity", "1"},
			{"state", "held, 1 of 1, 2 waiting"},
			{"last token", fmt.Sprint(h.Token)},
			{""},
			{"HOLDER", "PID", "HOST", "PERMITS", "SINCE", "FOR", "REMAINING", "TOKEN"},
			{`"the first"`, fmt.Sprint(h.Owner.PID), host, "1 of 1", h.Since.Local().Format(time.DateTime), fmt.Sprint(h.Token)},
			{""},
			{"WAITER", "PID", "HOST", "PERMITS", "SINCE", "FOR"},
			{`1. "the second"`, fmt.Sprint(state.Waiters[0].Owner.PID), host, "1 of 1"},
			{`2. "the third"`, fmt.Sprint(state.Waiters[1].Owner.PID), host, "1 of 1"},
		}
		if len(lines) != len(want) {
			t.Fatalf("%d lines: %s", len(lines), strings.Join(lines, "\n"))
		}
		for i := range want {
			contains(t, lines[i], want[i]...)
		}
		var got listing.One
		text := strings.Join(output(t, start(t, in, "show", "--json", "a")), "\n")
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if got.Store != in || got.Name != "a" || len(got.Holders) != 1 || len(got.Waiters) != 2 || got.Waiters[1].Label != "the third" {
			t.Errorf("got %s", text)
		}
		if expires := got.Holders[0].Expires > 0; expires != strings.HasPrefix(in, "redis:") {
			t.Errorf("expires: %v: %s", expires, text)
		}
		holder.let()
		for _, w := range waiters {
			w.ends(0)
		}
	})
}

// A script may ask whether a name is held.
func TestTheStatusOfShowTellsWhetherANameIsHeld(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		p := start(t, in, "show", "a")
		contains(t, all(p), "name", "a", "state", "free", "last token", "-")
		p.ends(1)
		reader := hold(t, in, "--read", "r")
		permit := hold(t, in, "--capacity", "3", "--permits", "2", "s")
		contains(t, strings.Join(output(t, start(t, in, "show", "r")), "\n"), "rwlock", "readers, or one writer", "held, readers: 1, 0 waiting", "read")
		contains(t, strings.Join(output(t, start(t, in, "show", "s")), "\n"), "semaphore", "held, 2 of 3, 0 waiting")
		reader.let()
		permit.let()
		p = start(t, in, "show", "--json", "r")
		contains(t, all(p), `"holders": []`)
		p.ends(1)
		start(t, in, "show", "").ends(64)
		start(t, in, "show").ends(64)
	})
	start(t, "redis://127.0.0.1:1", "show", "a").ends(69)
}
