package manager

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestLeadReturnsWhatItsFunctionReturns(t *testing.T) {
	m := newManager(t, memory.New())
	want := errors.New("done")
	if err := m.Lead(context.Background(), "db", func(_ context.Context, term uint64) error {
		if term == 0 {
			t.Error("no token")
		}
		return want
	}); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	wantFree(t, m.Lock("db"))
}

func TestOneLeadsAtATimeAndTheNextFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		terms := make(chan uint64)
		resign := make(chan struct{})
		ended := make(chan error)
		for range 3 {
			m := newManager(t, store.Peer())
			go func() {
				ended <- m.Lead(context.Background(), "db", func(_ context.Context, term uint64) error {
					terms <- term
					<-resign
					return nil
				})
			}()
		}
		last := uint64(0)
		for range 3 {
			term := <-terms
			if term <= last {
				t.Errorf("term %d after %d", term, last)
			}
			last = term
			synctest.Wait()
			select {
			case <-terms:
				t.Error("two lead")
			default:
			}
			resign <- struct{}{}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestDeposedLeaderLeadsAgainWhenTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		var terms []uint64
		err := m.Lead(context.Background(), "db", func(ctx context.Context, term uint64) error {
			terms = append(terms, term)
			if len(terms) > 1 {
				return nil
			}
			f.set(func(context.Context, string) error { return errors.New("down") }, nil)
			<-ctx.Done()
			wantLost(t, context.Cause(ctx), Expired)
			time.AfterFunc(time.Minute, func() { f.set(nil, nil) })
			return ctx.Err()
		})
		if err != nil || len(terms) != 2 || terms[1] <= terms[0] {
			t.Errorf("terms %v, %v", terms, err)
		}
	})
}

func TestLeadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memory.New())
		ctx, cancel := context.WithCancel(context.Background())
		own := errors.New("own")
		wantErr(t, m.Lead(ctx, "db", func(ctx context.Context, _ uint64) error {
			cancel()
			<-ctx.Done()
			return own
		}), context.Canceled)
		wantErr(t, m.Lead(ctx, "db", func(context.Context, uint64) error { return nil }), context.Canceled)
		wantFree(t, m.Lock("db"))
	})
}

func TestLeadMisuse(t *testing.T) {
	m := newManager(t, memory.New())
	wantErr(t, m.Lead(context.Background(), "db", nil), ErrInvalid)
	wantErr(t, m.Lead(context.Background(), "", func(context.Context, uint64) error { return nil }), ErrInvalidName)
}

// Lead and Do find the loss of their own lease in the lease, not in the error of the function.
func TestLossOfAnotherLeaseIsNoLossOfTheLeadership(t *testing.T) {
	for name, other := range map[string]func(t *testing.T, ctx context.Context, m *Manager) error{
		"of another name": func(t *testing.T, _ context.Context, m *Manager) error {
			l := mustAcquire(t, m.Lock("other"))
			mustBreak(t, m, "other")
			return l.Release()
		},
		"of another name, in a Do": func(t *testing.T, ctx context.Context, m *Manager) error {
			return m.Lock("other").Do(ctx, func(ctx context.Context) error {
				mustBreak(t, m, "other")
				<-ctx.Done()
				return ctx.Err()
			})
		},
		"of the same name, re-entered": func(t *testing.T, ctx context.Context, m *Manager) error {
			l := mustReenter(t, m.Lock("db"), LeaseFrom(ctx), HoldAtMost(time.Second))
			<-l.Context().Done()
			return l.Release()
		},
		"of the same name, from an earlier term": func(*testing.T, context.Context, *Manager) error {
			return &LostError{Name: "db", Token: 1, Reason: Expired}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *Manager) {
				terms := 0
				err := m.Lead(context.Background(), "db", func(ctx context.Context, _ uint64) error {
					terms++
					if terms > 1 {
						return nil
					}
					err := other(t, ctx, m)
					if ctx.Err() != nil {
						t.Errorf("the term ended: %v", context.Cause(ctx))
					}
					return err
				})
				var lost *LostError
				if !errors.As(err, &lost) || terms != 1 {
					t.Errorf("%d terms, then %v", terms, err)
				}
				wantFree(t, m.Lock("db"))
			})
		})
	}
}

func TestLossOfTheLeadershipIsSeenWhateverItsFunctionReturns(t *testing.T) {
	for name, answer := range map[string]func(ctx context.Context) error{
		"nothing":                   func(context.Context) error { return nil },
		"the error of its context":  func(ctx context.Context) error { return ctx.Err() },
		"the loss":                  context.Cause,
		"an error of its own":       func(context.Context) error { return errors.New("own") },
		"the loss of another lease": func(context.Context) error { return &LostError{Name: "other", Reason: ByClose} },
		"an earlier loss":           func(context.Context) error { return &LostError{Name: "db", Reason: ByClose} },
		"a loss beside another": func(ctx context.Context) error {
			return errors.Join(&LostError{Name: "other", Reason: MaxHold}, context.Cause(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *Manager) {
				terms := 0
				err := m.Lead(context.Background(), "db", func(ctx context.Context, _ uint64) error {
					terms++
					if terms > 1 {
						return nil
					}
					mustBreak(t, m, "db")
					<-ctx.Done()
					return answer(ctx)
				})
				if err != nil || terms != 2 {
					t.Errorf("%d terms, then %v", terms, err)
				}
			})
		})
	}
}

func TestLeadThatPanicsReleases(t *testing.T) {
	for _, lose := range []bool{false, true} {
		bubble(t, func(t *testing.T, m *Manager) {
			defer func() {
				if recover() != "panic" {
					t.Error("the panic did not go on")
				}
				wantFree(t, m.Lock("db"))
			}()
			_ = m.Lead(context.Background(), "db", func(ctx context.Context, _ uint64) error {
				if lose {
					mustBreak(t, m, "db")
					<-ctx.Done()
				}
				panic("panic")
			})
		})
	}
}

func TestDoJoinsItsOwnLossOnce(t *testing.T) {
	for name, c := range map[string]struct {
		fn    func(t *testing.T, ctx context.Context, m *Manager) error
		early bool     // before the loss
		want  []string // names of the losses in the error, in order
	}{
		"the context's error": {func(_ *testing.T, ctx context.Context, _ *Manager) error { return ctx.Err() }, false, []string{"db"}},
		"the cause":           {func(_ *testing.T, ctx context.Context, _ *Manager) error { return context.Cause(ctx) }, false, []string{"db"}},
		"an old loss": {func(*testing.T, context.Context, *Manager) error {
			return &LostError{Name: "old", Reason: Expired}
		}, false, []string{"old", "db"}},
		"a Do inside that has lost too": {func(t *testing.T, ctx context.Context, m *Manager) error {
			return m.Lock("in").Do(context.WithoutCancel(ctx), func(ctx context.Context) error {
				mustBreak(t, m, "in")
				<-ctx.Done()
				return nil
			})
		}, false, []string{"in", "db"}},
		"a re-entered Do of the same grant": {func(t *testing.T, ctx context.Context, m *Manager) error {
			return m.Lock("db").Reentrant().Do(ctx, func(ctx context.Context) error {
				mustBreak(t, m, "db")
				<-ctx.Done()
				return nil
			})
		}, true, []string{"db"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *Manager) {
				err := m.Lock("db").Do(context.Background(), func(ctx context.Context) error {
					if !c.early {
						mustBreak(t, m, "db")
						<-ctx.Done()
					}
					return c.fn(t, ctx, m)
				})
				var got []string
				for _, e := range losses(err) {
					got = append(got, e.Name)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("got the losses %q in %v, want %q", got, err, c.want)
				}
			})
		})
	}
}

// losses returns the LostErrors in the tree of an error.
func losses(err error) (out []*LostError) {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case *LostError:
		return []*LostError{e}
	case interface{ Unwrap() []error }:
		for _, x := range e.Unwrap() {
			out = append(out, losses(x)...)
		}
	case interface{ Unwrap() error }:
		return losses(e.Unwrap())
	}
	return out
}
