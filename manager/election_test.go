package manager

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// A candidate stands in an election until its context ends.
type candidate struct {
	*Election
	terms  chan uint64   // each term, when it begins
	causes chan error    // why its context ended
	leave  chan struct{} // lets the function return after the end of its context
	ended  chan error    // the result of Lead
	stop   context.CancelFunc
}

func stand(m *Manager, name string) *candidate {
	ctx, stop := context.WithCancel(context.Background())
	c := &candidate{
		Election: m.Election(name), stop: stop,
		terms: make(chan uint64, 100), causes: make(chan error, 100),
		leave: make(chan struct{}, 100), ended: make(chan error, 1),
	}
	go func() {
		c.ended <- c.Lead(ctx, func(ctx context.Context, term uint64) error {
			c.terms <- term
			<-ctx.Done()
			c.causes <- context.Cause(ctx)
			<-c.leave
			return errors.New("whatever")
		})
	}()
	return c
}

// end stops the candidate, whose function may run.
func (c *candidate) end(t *testing.T) {
	t.Helper()
	c.stop()
	c.leave <- struct{}{}
	if err := <-c.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Lead: %v", err)
	}
}

// leading returns the term that has begun, 0 if none has.
func (c *candidate) leading() uint64 {
	synctest.Wait()
	select {
	case term := <-c.terms:
		return term
	default:
		return 0
	}
}

// every is options under which a name would stay in a process for as long as it may.
var every = map[string][]Option{
	"default":     nil,
	"idle hold":   {WithIdleHold(5 * time.Second)},
	"no hand-off": {WithLocalHandoffs(0, 0)},
}

// The lock is released after the function has returned, and the next leader is another one.
func TestAResignedLeaderComesAfterAllWhoWait(t *testing.T) {
	for name, opts := range every {
		t.Run(name, func(t *testing.T) {
			twins(t, func(t *testing.T, a, b *Manager) {
				first := stand(a, "db")
				last := first.leading()
				var others []*candidate
				for _, m := range []*Manager{b, a, b} {
					c := stand(m, "db")
					if others = append(others, c); c.leading() != 0 {
						t.Fatal("two lead")
					}
				}
				for i, next := range append(others, first) {
					before := append([]*candidate{first}, others...)[i]
					if !before.IsLeader() || !before.Resign() || before.IsLeader() || before.Resign() {
						t.Errorf("candidate %d does not resign once", i)
					}
					if err := <-before.causes; !errors.Is(err, ErrResigned) {
						t.Errorf("the cause is %v", err)
					}
					if next.leading() != 0 {
						t.Error("the next leads before the function of the one that resigned has returned")
					}
					before.leave <- struct{}{}
					term := next.leading()
					if term <= last {
						t.Errorf("candidate %d: term %d after %d", i, term, last)
					}
					last = term
				}
				for _, c := range append(others, first) {
					c.end(t)
				}
				wantFree(t, a.Lock("db"))
			}, opts...)
		})
	}
}

func TestALeaderThatResignsAloneLeadsAgain(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		c := stand(m, "db")
		term := c.leading()
		c.Resign()
		c.leave <- struct{}{}
		if again := c.leading(); again <= term || !c.IsLeader() {
			t.Errorf("term %d after %d", again, term)
		}
		c.end(t)
	})
}

func TestWhoDoesNotLeadHasNothingToResign(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		e := m.Election("db")
		if e.Resign() || e.IsLeader() {
			t.Error("it leads before Lead")
		}
		if err := e.Lead(context.Background(), func(context.Context, uint64) error { return nil }); err != nil {
			t.Error(err)
		}
		if e.Resign() || e.IsLeader() {
			t.Error("it leads after Lead")
		}
	})
}

// The function resigns at the moment of its return: Lead goes on if and only if Resign reports true.
func TestResignAndReturnAreDecidedOnce(t *testing.T) {
	m := newManager(t, memory.New())
	e := m.Election("db")
	for range 300 {
		terms, did := 0, make(chan bool, 1)
		err := e.Lead(context.Background(), func(context.Context, uint64) error {
			if terms++; terms == 1 {
				go func() { did <- e.Resign() }()
			}
			return nil
		})
		if gave := <-did; err != nil || terms == 2 && !gave || terms > 2 {
			t.Fatalf("%d terms, Resign: %v, %v", terms, gave, err)
		}
	}
}

func TestLeaderSaysWhoLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		m, other := newManager(t, store, WithLabel("blue")), newManager(t, store.Peer())
		ctx := context.Background()
		e := other.Election("db")
		_, err := e.Leader(ctx)
		wantErr(t, err, ErrNoLeader)
		c := stand(m, "db")
		term := c.leading()
		host, _ := os.Hostname()
		l, err := e.Leader(ctx)
		if err != nil || l.Label != "blue" || l.PID != os.Getpid() || l.Host != host || l.Token != term || l.Since.IsZero() {
			t.Errorf("Leader = %+v, %v; want the term %d of blue", l, err, term)
		}
		if e.IsLeader() {
			t.Error("who looks on leads")
		}
		c.end(t)
		r := mustAcquire(t, m.RWLock("db").Read())
		_, err = e.Leader(ctx)
		wantErr(t, err, ErrMismatch)
		mustRelease(t, r)
		_, err = (*Election)(nil).Leader(ctx)
		wantErr(t, err, ErrInvalid)
		wantErr(t, new(Election).Lead(ctx, func(context.Context, uint64) error { return nil }), ErrInvalid)
		wantErr(t, m.Election("db").Lead(ctx, nil), ErrInvalid)
		_, err = m.Election("").Leader(ctx)
		wantErr(t, err, ErrInvalidName)
	})
}

// The store is asked again, and ever less often, until it answers.
func TestLeadWaitsForAStoreOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		asked := 0
		f.set(only("acquire", func(context.Context, string) error { asked++; return errors.New("down") }), nil)
		begin := time.Now()
		time.AfterFunc(time.Hour, func() { f.set(nil, nil) })
		err := m.Lead(context.Background(), "db", func(context.Context, uint64) error { return nil })
		if late := time.Since(begin) - time.Hour; err != nil || late < 0 || late > DefaultTTL/attemptPart {
			t.Errorf("Lead: %v, %v after the store was back", err, late)
		}
		if most := int(time.Hour/(DefaultTTL/attemptPart)) + 10; asked < 10 || asked > most {
			t.Errorf("the store was asked %d times, want at most %d", asked, most)
		}
	})
}

func TestLeadDoesNotWaitForAStoreThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := func(context.Context, uint64) error { t.Error("it leads"); return nil }
		f := newFake()
		f.set(only("acquire", func(context.Context, string) error { return ErrPermission }), nil)
		wantErr(t, newManager(t, f).Lead(context.Background(), "db", never), ErrPermission)

		m := newManager(t, memory.New())
		r := mustAcquire(t, m.RWLock("db").Read())
		wantErr(t, m.Lead(context.Background(), "db", never), ErrMismatch)
		mustRelease(t, r)
	})
}

func TestTheEndOfTheContextEndsTheWaitForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		f.set(only("acquire", func(context.Context, string) error { return errors.New("down") }), nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		begin := time.Now()
		err := m.Lead(ctx, "db", func(context.Context, uint64) error { return nil })
		if wantErr(t, err, context.DeadlineExceeded); time.Since(begin) != time.Minute {
			t.Errorf("it ended after %v", time.Since(begin))
		}
	})
}

// Each leader resigns when it was seen.
func TestChangesSeesEachLeaderOnceInOrderOfTokens(t *testing.T) {
	for name, makeStore := range stores() {
		t.Run(name, func(t *testing.T) {
			client := makeStore(t)
			// A tenth of the TTL is the time between two looks.
			opts := []Option{WithTTL(5 * time.Second), WithReleaseTimeout(time.Minute)}
			watcher := newManager(t, client(), opts...)
			all := map[string]*candidate{}
			for _, label := range []string{"a", "b", "c"} {
				c := stand(newManager(t, client(), append(opts, WithLabel(label))...), "db")
				c.leave = make(chan struct{})
				close(c.leave)
				all[label] = c
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			last, seen := uint64(0), 0
			for l, err := range watcher.Election("db").Changes(ctx) {
				c := all[l.Label]
				if err != nil || c == nil {
					t.Fatalf("Changes yields %+v, %v", l, err)
				}
				if term := <-c.terms; l.Token != term || l.Token <= last {
					t.Errorf("Changes yields the token %d after %d, and the term is %d", l.Token, last, term)
				}
				last = l.Token
				if seen++; seen == 6 {
					break
				}
				c.Resign()
			}
			if seen != 6 {
				t.Errorf("%d leaders were seen, want 6", seen)
			}
			for _, c := range all {
				c.stop()
				<-c.ended
			}
		})
	}
}

func TestChangesEndWithTheirContextTheManagerOrABadName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memory.New())
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		for l, err := range m.Election("db").Changes(ctx) {
			t.Errorf("nobody leads, and Changes yields %+v, %v", l, err)
		}
		yields := func(m *Manager, ctx context.Context, name string) (errs []error) {
			for _, err := range m.Election(name).Changes(ctx) {
				errs = append(errs, err)
			}
			return errs
		}
		var none context.Context
		for _, errs := range [][]error{yields(m, context.Background(), ""), yields(m, none, "db"), yields(nil, context.Background(), "db")} {
			if len(errs) != 1 || !errors.Is(errs[0], ErrInvalid) {
				t.Errorf("Changes yields %v, want ErrInvalid", errs)
			}
		}
		closed, err := New(memory.New())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Minute, func() { _ = closed.Close(context.Background()) })
		if errs := yields(closed, context.Background(), "db"); len(errs) != 1 || !errors.Is(errs[0], ErrClosed) {
			t.Errorf("Changes yields %v, want ErrClosed", errs)
		}
	})
}

// A store that is out of reach for a while ends no Changes.
func TestChangesGoOnWhenTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		m := newManager(t, &unreachable{store, time.Now().Add(time.Hour)})
		c := stand(newManager(t, store.Peer(), WithLabel("blue")), "db")
		for l, err := range m.Election("db").Changes(context.Background()) {
			if err != nil || l.Label != "blue" || l.Token != c.leading() {
				t.Errorf("Changes yields %+v, %v", l, err)
			}
			break
		}
		c.end(t)
	})
}

// unreachable is a store that cannot be inspected before back.
type unreachable struct {
	backends.Backend
	back time.Time
}

func (u *unreachable) Inspect(ctx context.Context, name string) (backends.State, error) {
	if time.Now().Before(u.back) {
		return backends.State{}, ErrUnavailable
	}
	return u.Backend.Inspect(ctx, name)
}
