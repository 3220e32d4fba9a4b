package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/term"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/manager"
)

// tryTimeout is how long a store may take to say whether the lock is busy (--no-wait).
const tryTimeout = 10 * time.Second

// noticeAfter is how long a wait lasts before a person at a terminal is told of it.
const noticeAfter = time.Second

// lookTimeoutBusy is how long a store may take to tell who holds a busy lock.
const lookTimeoutBusy = time.Second

// errSilent: the store has not answered in time, so whether the lock is busy is not known.
var errSilent = fmt.Errorf("%w: it gives no answer", backends.ErrUnavailable)

// acquired is the outcome of an acquire.
type acquired struct {
	held *grant
	err  error
}

// looked is the outcome of a look at the name.
type looked struct {
	name  string // that others hold
	state backends.State
	err   error
}

// errFrontDied: there is nobody to run the command for.
var errFrontDied = fmt.Errorf("%w: lockkeeper was killed", backends.ErrLost)

// release releases a grant that came before its cancellation; the process ends now in any case.
func (a acquired) release() {
	if a.err == nil {
		_ = a.held.release()
	}
}

// acquire waits for the names, and for the front to agree. A signal, or the front's death, ends the
// wait; then nothing is held.
func (r *runCmd) acquire(s streams, m *manager.Manager, ps parts, link *command.Link) (*grant, *command.Signal, error) {
	ctx, cancel := r.deadline()
	defer cancel()
	done := command.Background("acquire", func() acquired {
		held, err := r.take(ctx, m, ps)
		return acquired{held, err}
	}, func(err error) acquired { return acquired{err: err} })
	lookCtx, stopLook := context.WithCancel(context.Background())
	defer stopLook()
	begin, notice := r.lookTime(), r.noticeTime(s)
	var look, seen <-chan looked
	var sigs <-chan command.Signal
	var gone <-chan struct{}
	if link != nil {
		sigs, gone = link.Sigs, link.Gone
	}
	for {
		select { // both ready: a signal found later is passed on to the command; one found first ends the wait
		case a := <-done:
			if r.tries() {
				a.err = unanswered(a.err, tryTimeout)
			}
			if a.err == nil {
				return r.agree(a, link)
			}
			if codeOf(a.err) != exitBusy {
				return nil, nil, a.err
			}
			if held := (*manager.HeldError)(nil); errors.As(a.err, &held) && r.tries() {
				return nil, nil, a.err // the refusal names the holder: a look would be one command more
			}
			if look == nil {
				look = r.look(lookCtx, m, ps)
			}
			return nil, nil, r.explain(a.err, <-look)
		case <-begin:
			look = r.look(lookCtx, m, ps)
		case <-notice:
			seen = r.look(lookCtx, m, ps)
		case l := <-seen:
			if seen = nil; !link.InBackground() {
				r.notice(s, l)
			}
		case sig := <-sigs:
			cancel()
			(<-done).release()
			return nil, &sig, nil
		case <-gone:
			cancel()
			(<-done).release()
			return nil, nil, errFrontDied
		}
	}
}

// agree returns the grant when the front wants the command to start: a job that was suspended while
// it waited starts nothing before it goes on.
func (r *runCmd) agree(a acquired, link *command.Link) (*grant, *command.Signal, error) {
	if link == nil {
		return a.held, nil, nil
	}
	select { // both ready: a signal found later is passed on to the command; one found first ends the wait
	case <-link.Ready():
		return a.held, nil, nil
	case sig := <-link.Sigs:
		a.release()
		return nil, &sig, nil
	case <-link.Gone:
		a.release()
		return nil, nil, errFrontDied
	case <-a.held.lost():
		return nil, nil, fmt.Errorf("%w: the command was not started", errors.Join(a.held.lease.Err(), a.held.release()))
	}
}

// tries reports whether the lock is to be had at once or not at all.
func (r *runCmd) tries() bool { return r.NoWait || r.Wait != nil && *r.Wait == 0 }

// deadline returns the context of the wait.
func (r *runCmd) deadline() (context.Context, context.CancelFunc) {
	switch {
	case r.tries():
		return context.WithTimeout(context.Background(), tryTimeout)
	case r.Wait == nil:
		return context.WithCancel(context.Background())
	default:
		return context.WithTimeout(context.Background(), time.Duration(*r.Wait))
	}
}

// lookTime returns when to look who holds the lock: so early that the store has time to answer
// before the wait is over. A try that finds the lock busy looks then, and a wait without an end
// never does.
func (r *runCmd) lookTime() <-chan time.Time {
	if r.Wait == nil || r.tries() {
		return nil
	}
	return time.After(time.Duration(*r.Wait) - lookTimeoutBusy)
}

// noticeTime returns when to tell a person whom the command waits for; never if nobody is at a
// terminal, unless --verbose asks for it.
func (r *runCmd) noticeTime(s streams) <-chan time.Time {
	if r.tries() || r.Quiet || !r.Verbose && !term.IsTerminal(int(s.err.Fd())) {
		return nil
	}
	return time.After(noticeAfter)
}

// notice tells whom the command waits for, if that is known.
func (r *runCmd) notice(s streams, l looked) {
	if l.err != nil || len(l.state.Holders) == 0 {
		return
	}
	s.warn("waiting for %s: %s, %d waiting", printable(l.name), l.state.Holders[0].Held(), 1+len(r.others(l.state)))
}

// look asks who holds the lock: the first name that others hold, or else the first one.
func (r *runCmd) look(ctx context.Context, m *manager.Manager, ps parts) <-chan looked {
	return command.Background("look", func() (first looked) {
		ctx, cancel := context.WithTimeout(ctx, lookTimeoutBusy)
		defer cancel()
		for i, p := range ps {
			state, err := m.Inspect(ctx, p.name)
			if err != nil && ctx.Err() != nil {
				err = errSilent
			}
			l := looked{p.name, state, err}
			if err != nil || slices.ContainsFunc(state.Holders, func(h backends.Holder) bool { return h.Owner != r.owner() }) {
				return l
			}
			if i == 0 {
				first = l
			}
		}
		return first
	}, func(err error) looked { return looked{err: err} })
}

// explain returns the error of a wait that is over, or of a try of a busy lock: who holds it. A
// store that does not answer is unavailable, not busy.
func (r *runCmd) explain(err error, l looked) error {
	busy := fmt.Errorf("acquire %q: %w", cmp.Or(l.name, r.Name), backends.ErrBusy)
	if errors.Is(err, context.DeadlineExceeded) && r.Wait != nil {
		busy = fmt.Errorf("%w after %v", busy, time.Duration(*r.Wait))
	}
	switch {
	case codeOf(l.err) == exitUnavailable:
		return fmt.Errorf("acquire %q: %w", l.name, l.err)
	case l.err != nil:
		return busy
	case len(l.state.Holders) == 0:
		return fmt.Errorf("%w: others wait for it", busy)
	}
	// The request of this process may be on its way out of the queue.
	return fmt.Errorf("%w: %s, %d waiting", busy, l.state.Holders[0].Held(), len(r.others(l.state)))
}

// others returns the waiters of other processes.
func (r *runCmd) others(s backends.State) []backends.Waiter {
	return slices.DeleteFunc(slices.Clone(s.Waiters), func(w backends.Waiter) bool { return w.Owner == r.owner() })
}

// owner is this process, as a store sees it. Without a name of the host it is nobody.
func (r *runCmd) owner() backends.Owner {
	host, _ := os.Hostname()
	return backends.Owner{Host: host, PID: os.Getpid(), Label: r.Label}
}
