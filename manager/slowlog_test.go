package manager

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// take returns the lines since the last call, without their times and directories.
func (b *logBook) take() []string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.TrimSpace(b.text.String())
	b.text.Reset()
	if text == "" {
		return nil
	}
	text = regexp.MustCompile(`time=\S+ level=WARN |/\S*/`).ReplaceAllString(text, "")
	return strings.Split(text, "\n")
}

func (b *logBook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// slow runs f with a manager that logs waits beyond a second, and holds beyond ten.
func slow10(t *testing.T, f func(t *testing.T, m *Manager, b *logBook)) {
	t.Helper()
	b := &logBook{}
	bubble(t, func(t *testing.T, m *Manager) { f(t, m, b) }, WithSlowLog(time.Second, 10*time.Second), WithLogger(b.logger()))
}

// wantLines fails unless each line has all words of its want.
func wantLines(t *testing.T, what string, lines []string, want ...string) {
	t.Helper()
	ok := len(lines) == len(want)
	for i := 0; ok && i < len(lines); i++ {
		for w := range strings.FieldsSeq(want[i]) {
			ok = ok && strings.Contains(lines[i], w)
		}
	}
	if !ok {
		t.Errorf("%s: logged\n%s\nwant\n%s", what, strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// A wait is logged while it goes on, with its holder, and when it is over.
func TestSlowWaitsAreLoggedWhileTheyLast(t *testing.T) {
	slow10(t, func(t *testing.T, m *Manager, b *logBook) {
		l := mustAcquire(t, m.Lock("db"))
		w := start(m.Lock("db"))
		sleep(time.Second - time.Millisecond)
		wantLines(t, "before the limit", b.take())
		sleep(2 * time.Millisecond)
		wantLines(t, "after the limit", b.take(), fmt.Sprintf(
			`wait name=db site=helpers_test.go: waited=1s long=1 waiting=1 holder=helpers_test.go: token=%d since=`, l.Token()))
		sleep(5 * time.Second)
		wantLines(t, "later", b.take())
		mustRelease(t, l)
		held := w.granted(t)
		wantLines(t, "the end", b.take(), `"lockkeeper: a long wait is over" name=db site=helpers_test.go: waited=6.001s`)
		sleep(11 * time.Second) // a wait that was logged may become a hold that is
		wantLines(t, "the hold after it", b.take(), "hold name=db held=10s")
		mustRelease(t, held)

		l = mustAcquire(t, m.Lock("db"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		startWith(ctx, m.Lock("db"))
		sleep(4 * time.Second)
		wantLines(t, "a time-out", b.take(), "long name=db", "failed name=db waited=3s err= deadline")
		mustRelease(t, l)
	})
}

func TestSlowHoldsAreLoggedWhileTheyLast(t *testing.T) {
	slow10(t, func(t *testing.T, m *Manager, b *logBook) {
		l := mustAcquire(t, m.Lock("db"))
		sleep(10*time.Second - time.Millisecond)
		wantLines(t, "before the limit", b.take())
		sleep(time.Hour)
		wantLines(t, "after the limit", b.take(), fmt.Sprintf(
			`hold name=db site=helpers_test.go: held=10s long=1 token=%d since= waiting=0`, l.Token()))
		mustRelease(t, l)
		for range 100 { // short holds in steady use are never logged
			l := mustAcquire(t, m.Lock("db"))
			sleep(time.Second)
			mustRelease(t, l)
		}
		wantLines(t, "short holds", b.take())
	})
}

// A thousand waiters of a stuck name are a line now and then, not a thousand.
func TestTheSlowLogIsNoFlood(t *testing.T) {
	slow10(t, func(t *testing.T, m *Manager, b *logBook) {
		l := mustAcquire(t, m.Lock("db"))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { _, _ = m.Lock("db").Acquire(ctx) })
			time.Sleep(3 * time.Millisecond)
		}
		sleep(8 * time.Second)
		lines := b.take()
		if n := len(lines); n < 3 || n > 6 { // of waits that begin within 3 s, and of the hold
			t.Errorf("%d lines:\n%s", n, strings.Join(lines, "\n"))
		}
		told := 0
		for _, line := range lines {
			var n int
			if _, after, ok := strings.Cut(line, " long="); ok && strings.Contains(line, "wait is") {
				_, _ = fmt.Sscan(after, &n)
			}
			told += n
		}
		if told != 1000 {
			t.Errorf("the lines tell of %d waits", told)
		}
		cancel()
		wg.Wait()
		if n := len(b.take()); n > 6 {
			t.Errorf("%d lines of the ends", n)
		}
		mustRelease(t, l)
	})
}

// After a line there is none of its kind for the time of the limit, although the keeper looks again
// earlier, for another reason.
func TestTheSlowLogIsQuietAfterALine(t *testing.T) {
	slow10(t, func(t *testing.T, m *Manager, b *logBook) {
		two := m.Semaphore("db", 2)
		l := mustAcquire(t, two.Permits(1))
		brief := mustAcquire(t, two.Permits(1), HoldAtMost(1600*time.Millisecond))
		first := start(two.Permits(2))
		sleep(500 * time.Millisecond)
		second := start(two.Permits(2))
		sleep(501 * time.Millisecond)
		wantLines(t, "the first", b.take(), "wait name=db long=1 waiting=2")
		sleep(700 * time.Millisecond) // the second is long, and the keeper has ended the brief hold
		wantLost(t, brief.Err(), MaxHold)
		for _, line := range b.take() {
			if strings.Contains(line, "wait is long") {
				t.Errorf("too early: %s", line)
			}
		}
		sleep(400 * time.Millisecond)
		wantLines(t, "the second", b.take(), "wait name=db long=1 waiting=2")
		mustRelease(t, l)
		_ = brief.Release()
		mustRelease(t, first.granted(t))
		mustRelease(t, second.granted(t))
	})
}

// The holder in another process is named as in a busy error; a name cannot break a line. What the
// store does not tell is said to be in another process.
func TestTheSlowLogOfForeignHoldersAndHostileNames(t *testing.T) {
	b := &logBook{}
	twins(t, func(t *testing.T, m, other *Manager) {
		name := "x\n\x1b[31m token=1" + strings.Repeat("y", 1000)
		l := mustAcquire(t, other.Lock(name))
		sleep(time.Millisecond)
		w := start(m.Lock(name))
		sleep(2 * time.Second)
		lines := b.take()
		wantLines(t, "a wait", lines, fmt.Sprintf(`holder="%s since `, other.owner))
		if !strings.HasSuffix(lines[0], fmt.Sprint("token=", l.Token())) {
			t.Errorf("line %q, want token %d", lines[0], l.Token())
		}
		if len(lines[0]) > 500 || strings.ContainsAny(lines[0], "\x1b") {
			t.Errorf("line %q", lines[0])
		}
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
	}, WithSlowLog(time.Second, 0), WithLogger(b.logger()))
}

// A store that does not answer delays the line, and nothing else.
func TestTheSlowLogOfAHolderThatTheStoreDoesNotTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, shared := &logBook{}, memory.New()
		store := newAcross(shared.Peer())
		store.OnInspect = func(ctx context.Context, _ string, _ intercept.Inspect) (backends.State, error) {
			<-ctx.Done()
			return backends.State{}, ctx.Err()
		}
		l := mustAcquire(t, newManager(t, shared).Lock("db"))
		w := start(newManager(t, store, WithSlowLog(time.Second, 0), WithLogger(b.logger())).Lock("db"))
		sleep(1100 * time.Millisecond)
		wantLines(t, "while the store is asked", b.take())
		sleep(200 * time.Millisecond)
		wantLines(t, "when it has not answered", b.take(), `holder="another process"`)
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
	})
}

// The parts of an All are waits too, and an All ends once.
func TestTheSlowLogOfAnAll(t *testing.T) {
	slow10(t, func(t *testing.T, m *Manager, b *logBook) {
		l := mustAcquire(t, m.Lock("b"))
		w := start(m.All(m.Lock("a"), m.Lock("b"), m.Lock("c")))
		sleep(3 * time.Second)
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
		var of []string
		for _, line := range b.take() {
			if strings.Contains(line, "over") {
				of = append(of, line)
			} else if !strings.Contains(line, "site=helpers_test.go:") {
				t.Errorf("line %q", line)
			}
		}
		wantLines(t, "its end", of, "name=a+b+c waited=3s")
	})
}

// A lease that the program has dropped is logged with the line that acquired it.
func TestADroppedLeaseIsLoggedWithItsSite(t *testing.T) {
	b := &logBook{}
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, newFake(), WithSites(), WithLogger(b.logger()))
		holdForTheProfile(t, m)
		sleep(time.Minute)
		collect(m)
		sleep(time.Minute)
		wantLines(t, "the drop", b.take(), "dropped name=db token= since= site=profile_test.go:")
	})
}

func TestSlowLogChecksItsLimits(t *testing.T) {
	for _, d := range []time.Duration{-1, 1, time.Hour * 24 * 366} {
		_, err := New(newFake(), WithSlowLog(d, 0))
		wantErr(t, err, ErrInvalid)
		_, err = New(newFake(), WithSlowLog(0, d))
		wantErr(t, err, ErrInvalid)
	}
}
