package manager

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	opener "github.com/lockkeeper/lockkeeper/open"
)

// tickingStores are those that processes share.
var tickingStores = map[string]func(t *testing.T) string{
	"file":  func(t *testing.T) string { return t.TempDir() + "/locks" },
	"redis": func(t *testing.T) string { return "redis://" + redistest.Start(t).Addr },
}

// Three processes have the same job in their tables, and clocks that differ. One of them starts later
// than the others, and one is killed in the middle of the job. LOCKKEEPER_LONG=1 lets the clocks
// differ by two seconds.
//
// The test hands out the ticks, so the machine may be slow. A tick in which the last process has
// answered later than the minimum after the first was told proves nothing: it is repeated, with twice
// the minimum. The next tick comes when the minimum is over, as the store says.
func TestEachTickOfThreeProcessesRunsOnce(t *testing.T) {
	skew := 100 * time.Millisecond
	if os.Getenv("LOCKKEEPER_LONG") != "" {
		skew = 2 * time.Second
	}
	for name, address := range tickingStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSchedule(t, address(t), skew)
			for k := 0; k < 20; {
				if k == 2 && len(s.processes) == 2 {
					s.join()
				}
				last := s.token
				ran, took := s.tick(k == 7)
				switch {
				case took > s.least && ran > 0:
					s.least *= 2
				case ran != 1 || s.token <= last:
					t.Fatalf("tick %d ran %d times, with token %d after %d; want once", k, ran, s.token, last)
				default:
					k++
				}
				s.next()
			}
		})
	}
}

// The check above can fail: without a minimum each of the processes runs the job.
func TestWithoutAMinimumATickRunsOnEachProcess(t *testing.T) {
	for name, address := range tickingStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSchedule(t, address(t), 0)
			s.least = 0
			s.join()
			ran := 0
			for _, p := range s.processes { // each is told when the one before has answered
				p.Say("tick 0s")
				ran += s.answer(p)
			}
			if ran != len(s.processes) {
				t.Errorf("ran %d times; want %d", ran, len(s.processes))
			}
		})
	}
}

type schedule struct {
	t         *testing.T
	address   string
	m         *Manager
	skew      time.Duration // from the first clock to the last
	least     time.Duration
	processes []*proctest.Process // in the order of their clocks
	token     uint64              // the largest of all runs
}

// newSchedule starts two processes.
func newSchedule(t *testing.T, address string, skew time.Duration) *schedule {
	t.Helper()
	store, err := opener.Store(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	s := &schedule{t: t, address: address, m: newManager(t, store, patient...), skew: skew, least: 100*time.Millisecond + 3*skew/2}
	s.join()
	s.join()
	return s
}

func (s *schedule) join() {
	s.t.Helper()
	p := proctest.Start(s.t, "scheduler", s.address)
	p.Expect("up")
	s.processes = append(s.processes, p)
}

// tick tells each process of a tick, when its clock says so, and returns how many ran the job, and how
// long it was from the first call to the last answer. The first is killed in its job, if that is wanted.
func (s *schedule) tick(kill bool) (ran int, took time.Duration) {
	s.t.Helper()
	began := time.Now()
	step := s.skew / time.Duration(max(len(s.processes)-1, 1))
	rest := s.processes
	if kill {
		rest[0].Say("crash %v", s.least)
		ran += s.answer(rest[0])
		rest[0].Kill()
		rest = rest[1:]
	}
	for i, p := range rest {
		if i > 0 || kill {
			<-time.After(step/2 + rand.N(step/2+1)) // part of the case: the clocks differ
		}
		p.Say("tick %v", s.least)
	}
	for _, p := range rest {
		ran += s.answer(p)
	}
	took = time.Since(began)
	if kill {
		s.processes = rest
		s.join()
	}
	return ran, took
}

// answer returns 1 if the process has run the job.
func (s *schedule) answer(p *proctest.Process) int {
	s.t.Helper()
	line := p.Expect("")
	text, ran := strings.CutPrefix(line, "ran ")
	if !ran {
		if !strings.HasPrefix(line, "skipped") {
			s.t.Fatalf("a process says %q", line)
		}
		return 0
	}
	token, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	s.token = max(s.token, token)
	return 1
}

// next waits until the name is free again.
func (s *schedule) next() {
	s.t.Helper()
	mustRelease(s.t, mustAcquire(s.t, s.m.Lock("job")))
}

// scheduler is a process with a job that takes no time.
func scheduler(c *proctest.Child) error {
	ctx := context.Background()
	store, err := opener.Store(ctx, c.Args[0])
	if err != nil {
		return err
	}
	m, err := New(store, WithTTL(5*time.Second), WithReleaseTimeout(time.Minute))
	if err != nil {
		return err
	}
	c.Say("up")
	for line, ok := c.Listen(); ok; line, ok = c.Listen() {
		verb, text, _ := strings.Cut(line, " ")
		var opts []AcquireOption
		if least, err := time.ParseDuration(text); err != nil {
			return err
		} else if least > 0 {
			opts = append(opts, HoldAtLeast(least))
		}
		l, err := m.Lock("job").TryAcquire(ctx, opts...)
		switch {
		case errors.Is(err, ErrBusy):
			c.Say("skipped: %v", err)
			continue
		case err != nil:
			return err
		}
		if verb == "crash" {
			c.Say("ran %d", l.Token())
			c.Listen() // until it is killed
		}
		if err := l.Release(); err != nil {
			return err
		}
		c.Say("ran %d", l.Token())
	}
	return m.Close(ctx)
}
