package manager

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	opener "github.com/lockkeeper/lockkeeper/open"
)

// leader is a process that leads whenever it is elected.
func leader(c *proctest.Child) error {
	ctx := context.Background()
	store, err := opener.Store(ctx, c.Args[0])
	if err != nil {
		return err
	}
	m, err := New(store, WithTTL(5*time.Second), WithLabel("candidate"))
	if err != nil {
		return err
	}
	c.Say("stands")
	return m.Lead(ctx, "election", func(ctx context.Context, term uint64) error {
		c.Say("leads %d", term)
		<-ctx.Done()
		return context.Cause(ctx)
	})
}

func TestAKilledLeaderIsFollowedByTheNextWithALargerToken(t *testing.T) {
	for name, address := range tickingStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := address(t)
			store, err := opener.Store(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			m := newManager(t, store, patient...)
			old := proctest.Start(t, "leader", at)
			old.Expect("stands")
			before := termOf(t, old)
			next := proctest.Start(t, "leader", at)
			next.Expect("stands")
			if l, err := m.Election("election").Leader(t.Context()); err != nil || l.PID != old.PID() || l.Token != before {
				t.Errorf("%+v, %v; want process %d in term %d", l, err, old.PID(), before)
			}
			old.Kill()
			after := termOf(t, next)
			if after <= before {
				t.Errorf("term %d after %d", after, before)
			}
			if l, err := m.Election("election").Leader(t.Context()); err != nil || l.PID != next.PID() || l.Token != after {
				t.Errorf("%+v, %v; want process %d in term %d", l, err, next.PID(), after)
			}
		})
	}
}

func termOf(t *testing.T, p *proctest.Process) uint64 {
	t.Helper()
	term, err := strconv.ParseUint(p.Expect("leads"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return term
}

// The network swallows what the leader sends. Its context has ended, by its clock, when the next
// leader begins.
func TestALeaderThatIsCutOffHasStoppedWhenTheNextBegins(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := server.NewProxy(t)
	elect := func(addr string) *Election {
		store, err := opener.Store(t.Context(), "redis://"+addr)
		if err != nil {
			t.Fatal(err)
		}
		return newManager(t, store, WithTTL(2*time.Second)).Election("election")
	}
	type term struct {
		ctx   context.Context
		token uint64
	}
	old, next := make(chan term, 100), make(chan term, 100)
	lead := func(e *Election, terms chan term) (ended chan error, stop context.CancelFunc) {
		ctx, stop := context.WithCancel(context.Background())
		ended = make(chan error, 1)
		go func() {
			ended <- e.Lead(ctx, func(ctx context.Context, token uint64) error {
				terms <- term{ctx, token}
				<-ctx.Done()
				return nil
			})
		}()
		return ended, stop
	}
	oldEnded, stopOld := lead(elect(proxy.Addr), old)
	first := <-old
	nextEnded, stopNext := lead(elect(server.Addr), next)
	proxy.BlackHole()
	second := <-next
	var lost *LostError
	if first.ctx.Err() == nil || !errors.As(context.Cause(first.ctx), &lost) || lost.Reason != Expired {
		t.Errorf("the context of the leader that was cut off: %v", context.Cause(first.ctx))
	}
	if second.token <= first.token {
		t.Errorf("term %d after %d", second.token, first.token)
	}
	proxy.Judge(nil)
	stopOld()
	stopNext()
	wantErr(t, <-oldEnded, context.Canceled)
	wantErr(t, <-nextEnded, context.Canceled)
}
