package cli

import (
	"context"
	"errors"
	"iter"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

func TestLsTellsWhoHoldsAndWhoWaits(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		holder := hold(t, in, "--label", "the first", "a")
		reader := hold(t, in, "--read", "b")
		waiter := start(t, in, "run", "--label", "the second", "a", "--", "true")
		untilWaiting(t, client(t, in), "a", 1)

		lines := output(t, start(t, in, "ls"))
		if len(lines) != 4 {
			t.Fatalf("%d lines: %q", len(lines), lines)
		}
		for i, want := range [][]string{
			{"NAME", "KIND", "STATE"},
			{"a", "mutex", "held", "1 of 1", `"the first"`},
			{"a", "mutex", "waits, 1.", `"the second"`},
			{"b", "rwlock", "held", "read"},
		} {
			for _, part := range want {
				contains(t, lines[i], part)
			}
		}
		if one := output(t, start(t, in, "ls", "b", "no-such")); len(one) != 3 || !strings.Contains(one[2], "free") {
			t.Errorf("ls b no-such: %q", one)
		}
		holder.let()
		reader.let()
		waiter.ends(0)
		if rest := output(t, start(t, in, "ls")); len(rest) != 0 {
			t.Errorf("nobody holds or waits, but ls says %q", rest)
		}
	})
	start(t, "memory:", "ls").ends(64)
	start(t, "file:"+t.TempDir(), "ls", "").ends(64)
}

// To look at a store must not make one.
func TestLsOfAStoreThatDoesNotExist(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	if lines := output(t, start(t, "file:"+dir, "ls")); len(lines) != 0 {
		t.Errorf("nobody holds or waits, but ls says %q", lines)
	}
	if lines := output(t, start(t, "file:"+dir, "ls", "a")); len(lines) != 2 || !strings.Contains(lines[1], "free") {
		t.Errorf("ls a: %q; want one name, free", lines)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("ls has made the store: %v", err)
	}
	p := start(t, "file:"+dir, "ls", "")
	contains(t, p.ends(64), "invalid name")
}

// output returns the lines of a process that ends well.
func output(t *testing.T, p process) (lines []string) {
	t.Helper()
	for line, ok := p.Listen(); ok; line, ok = p.Listen() {
		lines = append(lines, line)
	}
	p.ends(0)
	return lines
}

func TestListKeepsStrangeNamesHarmless(t *testing.T) {
	var out strings.Builder
	now := time.Now()
	err := list(&out, []backends.State{{
		Resource: backends.Resource{Name: "a\nb\x1b[31m\t\xff", Kind: backends.Semaphore, Capacity: 3},
		Holders:  []backends.Holder{{ID: backends.GrantID{Client: 1}, Weight: 2, Token: 7, Since: now.Add(-time.Second), Owner: backends.Owner{Host: "h", PID: 1}}},
		Waiters:  []backends.Waiter{{Weight: 1, Since: now.Add(time.Hour), Owner: backends.Owner{Host: "h\n", PID: 2}}},
	}}, now, printable)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 3 || strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), "\xff") || strings.Contains(out.String(), "\t") {
		t.Errorf("%q", out.String())
	}
	contains(t, out.String(), "2 of 3")
	contains(t, out.String(), "1s")
}

// A detached grant is nobody's: ls and show say so, and until when it can be adopted.
func TestLsAndShowTellOfADetachedLease(t *testing.T) {
	now := time.Now()
	for want, other := range map[string][]backends.Holder{
		"detached, 2 of 3, 0 waiting": nil,
		"held, 3 of 3, 0 waiting":     {{ID: backends.GrantID{Client: 1, Seq: 2}, Weight: 1, Token: 8}},
	} {
		state := backends.State{
			Resource: backends.Resource{Name: "a", Kind: backends.Semaphore, Capacity: 3},
			Holders: append([]backends.Holder{{
				ID: backends.GrantID{Client: 1, Seq: 1}, Weight: 2, Token: 7, Owner: backends.Owner{Host: "h", PID: 4711},
				Detached: true, Expires: time.Minute,
			}}, other...),
		}
		until := clock(now.Add(time.Minute))
		var out strings.Builder
		if err := list(&out, []backends.State{state}, now, printable); err != nil {
			t.Fatal(err)
		}
		contains(t, out.String(), "detached  2 of 3", "until "+until+", by pid 4711 on h")
		out.Reset()
		if err := show(&out, store.Store{}, state, now, printable); err != nil {
			t.Fatal(err)
		}
		contains(t, out.String(), want, "detached until "+until)
	}
}

// A page has room for a name or a label of a kilobyte only in part; a file or a pipe gets all of it.
func TestLongTextsAreClippedAtATerminalOnly(t *testing.T) {
	long := strings.Repeat("n", backends.MaxName)
	state := backends.State{
		Resource: backends.Resource{Name: long, Kind: backends.Mutex, Capacity: 1},
		Holders:  []backends.Holder{{ID: backends.GrantID{Client: 1, Seq: 1}, Weight: 1, Owner: backends.Owner{Host: "h", PID: 1, Label: long}}},
		Waiters:  []backends.Waiter{{ID: backends.GrantID{Client: 2, Seq: 1}, Weight: 1, Owner: backends.Owner{Host: "h", PID: 2, Label: long}}},
	}
	for _, p := range []page{{width: 80}, {width: 80, height: 24}} {
		var listed, shown strings.Builder
		err := errors.Join(list(&listed, []backends.State{state}, time.Now(), p.shown()), show(&shown, store.Store{}, state, time.Now(), p.shown()))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{listed.String(), shown.String()} {
			if clipped := !strings.Contains(text, long); clipped != (p.height > 0) || clipped != strings.Contains(text, "…") {
				t.Errorf("%+v: %s", p, text)
			}
		}
	}
}

// mute is a store that does not answer.
type mute struct{}

func (mute) Inspect(ctx context.Context, _ string) (backends.State, error) {
	<-ctx.Done()
	return backends.State{}, ctx.Err()
}

func (m mute) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return func(yield func(backends.State, error) bool) { yield(m.Inspect(ctx, "")) }
}

// A store that does not answer a look is unavailable. Busy is a lock, and ls waits for none.
func TestAStoreThatDoesNotAnswerALookIsUnavailable(t *testing.T) {
	for _, names := range [][]string{nil, {"a", "b"}} {
		v := view{Names: names}
		_, err := v.states(t.Context(), mute{}, time.Millisecond)
		if codeOf(err) != exitUnavailable || !strings.Contains(err.Error(), "no answer within 1ms") {
			t.Errorf("ls %q: status %d: %v; want %d", names, codeOf(err), err, exitUnavailable)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed below
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // the kernel accepts connections, and nobody reads them
	start(t, "redis://"+l.Addr().String(), "doctor", "--timeout", "100ms").ends(int(exitUnavailable))
}
