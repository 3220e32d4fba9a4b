//go:build linux

package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/manager"
)

// patience is how long a request may wait once nothing new is requested and nothing is broken, and
// how long a manager may take to close.
const patience = 30 * time.Second

// worker is the goroutines of one worker process, and what they share.
type worker struct {
	part
	manager  *manager.Manager
	log      *log
	register *register
	last     atomic.Int64    // number of the last acquire
	stop     context.Context // ends when nothing new is to be requested
	late     context.Context // ends when waits are given up
	detaches bool            // the store can
}

// work is what a worker process does: until its input ends, its goroutines use locks.
func work(p part, store Store) (err error) {
	l, err := newLog(p.Dir, p.Process)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	b, err := store.Open(p.Config, p.Address)
	if err != nil {
		return err
	}
	b = watch(seed(b, p.Config), l, store.Slots)
	m, err := manager.New(b, p.options()...)
	if err != nil {
		return err
	}
	stop, end := context.WithCancel(context.Background())
	defer end()
	late, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	w := &worker{part: p, manager: m, log: l, stop: stop, late: late, detaches: b.Capabilities().Detach}
	if w.register, err = openRegister(filepath.Join(p.Dir, "register"), names(p.resources())); err != nil {
		return err
	}
	var all, ticks sync.WaitGroup
	for g := range p.Goroutines {
		all.Go(func() { w.rage(g) })
	}
	ticks.Go(w.watchClock)
	_, err = io.Copy(io.Discard, os.Stdin)
	end()
	timer := time.AfterFunc(patience, giveUp)
	all.Wait()
	ticks.Wait()
	timer.Stop()
	giveUp()
	w.close(store.Leaks)
	return errors.Join(err, w.register.close())
}

// close ends the manager and tells what is left of it, but for what its library leaves behind.
func (w *worker) close(leaks []goleak.Option) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := w.manager.Close(ctx)
	if err == nil {
		err = goleak.Find(leaks...)
	}
	text := "ok"
	if err != nil {
		text = err.Error()
	}
	w.log.add(event{Kind: closed, Text: text})
}

// options differ from place to place: hand-offs within the process as ever, none, and a name that is
// kept idle for a moment. A short stop margin hides no mistake in the validity.
func (p part) options() []manager.Option {
	opts := []manager.Option{manager.WithTTL(p.TTL), manager.WithLabel(p.Process)}
	switch p.Place % 3 {
	case 1:
		opts = append(opts, manager.WithLocalHandoffs(0, 0), manager.WithStopMargin(p.TTL/50))
	case 2:
		opts = append(opts, manager.WithIdleHold(p.idle()), manager.WithStopMargin(p.TTL/50))
	}
	return opts
}

// idle is how long the manager of this place keeps a name idle.
func (p part) idle() time.Duration {
	if p.Place%3 == 2 {
		return 20 * time.Millisecond
	}
	return 0
}

// watchClock logs when this process was late to run: it has no say in what happened then.
func (w *worker) watchClock() {
	const tick, most = 20 * time.Millisecond, 100 * time.Millisecond
	for w.stop.Err() == nil {
		due := history.Now() + int64(tick)
		Pause(tick)
		if now := history.Now(); now-due > int64(most) {
			w.log.add(event{Kind: late, At: due, Until: now})
		}
	}
}

// rage is one goroutine: it uses names at random until the end.
func (w *worker) rage(g int) {
	r := random(w.Seed, w.Store, w.Process, g)
	for w.stop.Err() == nil {
		a := w.choose(r, g)
		err := a.run(a)
		if errors.Is(err, manager.ErrUnavailable) {
			w.pause(w.TTL / 20)
		}
		w.pause(a.rest)
	}
}

// pause lets time pass, until the end at most.
func (w *worker) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select { // whichever is first
	case <-t.C:
	case <-w.stop.Done():
	}
}

// use acquires a lease and holds it.
func (w *worker) use(a *act) error {
	lease, err := w.acquire(a)
	if err == nil {
		w.hold(a, lease)
	}
	return err
}

// acquire acquires what the act says, and logs it.
func (w *worker) acquire(a *act) (*manager.Lease, error) {
	ctx, cancel := context.WithCancel(w.late)
	defer cancel()
	if a.giveUp > 0 {
		defer time.AfterFunc(a.giveUp, cancel).Stop()
	}
	w.ask(a)
	acquire := a.claim.Acquire
	if a.try {
		acquire = a.claim.TryAcquire
	}
	lease, err := acquire(ctx, a.options...)
	if err != nil {
		w.fail(a, err)
		return nil, err
	}
	w.grant(a, lease)
	return lease, nil
}

// ask logs that a request begins.
func (w *worker) ask(a *act) {
	a.id = w.last.Add(1)
	a.asked = history.Now()
	for _, p := range a.parts {
		w.log.add(event{Kind: asked, At: a.asked, ID: a.id, Name: p.name, Cap: p.capacity, Weight: p.weight, Try: a.try})
	}
}

// fail logs that a request has failed.
func (w *worker) fail(a *act, err error) {
	at, text := history.Now(), w.reason(err, a)
	for _, p := range a.parts {
		w.log.add(event{Kind: failed, At: at, ID: a.id, Name: p.name, Text: text})
	}
}

// grant logs that a request was granted.
func (w *worker) grant(a *act, lease *manager.Lease) {
	at := history.Now()
	for _, l := range lease.Leases() {
		p := a.part(l.Name())
		e := event{Kind: granted, At: at, ID: a.id, Name: p.name, Cap: p.capacity, Weight: p.weight, Token: l.Token(), From: a.asked, Until: until(l)}
		if !l.Valid() {
			e.Until = at // it was over before its holder could look
		}
		if a.least > 0 {
			e.Mid = int64(a.least)
		}
		if a.ticket != "" {
			e.Text = adopted
		}
		w.log.add(e)
	}
}

func (w *worker) reason(err error, a *act) string {
	switch {
	case w.late.Err() != nil:
		return stuck
	case errors.Is(err, manager.ErrBusy):
		return "busy"
	case errors.Is(err, context.Canceled) && a.giveUp > 0:
		return "cancelled"
	case errors.Is(err, manager.ErrTicket):
		return "ticket"
	case errors.Is(err, manager.ErrUnavailable):
		return "unavailable"
	default:
		return "unexpected: " + err.Error()
	}
}

// stuck is the reason of a request that was never granted, though nothing was broken any more.
const stuck = "stuck"

// until returns the instant until which the lease promises that nobody else is granted the name, by
// the host's clock; 0 where leases do not expire.
func until(l *manager.Lease) int64 {
	now := history.Now() // before the other clock is read: so the result is no later than the truth
	v := l.ValidUntil()
	if v.IsZero() {
		return 0
	}
	return now + int64(time.Until(v))
}

// hold holds the lease as long as the act says, and then releases or detaches it.
func (w *worker) hold(a *act, lease *manager.Lease) {
	w.keep(a, lease)
	if a.detach && lease.Valid() {
		w.detach(a, lease)
		return
	}
	at := history.Now() // before the release begins
	for _, l := range lease.Leases() {
		w.log.add(event{Kind: ended, At: at, ID: a.id, Name: l.Name(), Text: "released"})
	}
	w.freed(a, lease.Release())
}

// freed logs how a release ended.
func (w *worker) freed(a *act, err error) {
	at, text := history.Now(), "ok"
	switch {
	case errors.Is(err, manager.ErrLost):
		text = "lost"
	case errors.Is(err, manager.ErrUnavailable):
		text = "unavailable"
	case err != nil:
		text = "unexpected: " + err.Error()
	}
	for _, p := range a.parts {
		w.log.add(event{Kind: freed, At: at, ID: a.id, Name: p.name, Text: text})
	}
}

// keep holds the lease as long as the act says, looks again and again whether it is valid, and
// writes to the register. It reports whether the lease is lost.
func (w *worker) keep(a *act, lease *manager.Lease) (lost bool) {
	if a.hold > 10*time.Millisecond {
		ctx := lease.Context()
		defer context.AfterFunc(ctx, func() {
			at := history.Now()
			var lost *manager.LostError
			if errors.As(context.Cause(ctx), &lost) {
				for _, l := range lease.Leases() {
					w.log.add(event{Kind: told, At: at, ID: a.id, Name: l.Name(), Until: until(l), Text: string(lost.Reason)})
				}
			}
		})()
	}
	leases := lease.Leases()
	end := history.Now() + int64(a.hold)
	for {
		w.write(a, leases, true)
		if lost = w.lost(a, leases); lost || history.Now() >= end || w.stop.Err() != nil {
			return lost
		}
		w.pause(min(a.hold/4+time.Millisecond, 25*time.Millisecond))
		if a.blind && history.Now() < end {
			w.pause(time.Duration(end - history.Now()))
			w.write(a, leases, false)
		}
	}
}

// write writes to the register under all tokens that are of a whole name. A holder that looks must
// not be refused; one that does not look (sure is false) may be.
func (w *worker) write(a *act, leases []*manager.Lease, sure bool) {
	for _, l := range leases {
		p := a.part(l.Name())
		if p.weight < p.capacity {
			continue
		}
		before := l.Valid()
		ok := w.register.write(p.name, l.Token())
		e := event{Kind: wrote, ID: a.id, Name: p.name, Token: l.Token(), Text: "ok"}
		switch {
		case ok:
		case sure && before && l.Valid():
			e.Text = "refused"
		default:
			e.Text = "stale"
		}
		w.log.add(e)
	}
}

// lost looks at the leases, and logs what it sees.
func (w *worker) lost(a *act, leases []*manager.Lease) bool {
	lost := false
	for _, l := range leases {
		at := history.Now() // before the look
		if l.Valid() {
			w.log.add(event{Kind: looked, ID: a.id, Name: l.Name(), Until: until(l)}) // of after the look
			continue
		}
		lost = true
		w.log.add(event{Kind: ended, At: at, ID: a.id, Name: l.Name(), Text: fmt.Sprint("lost: ", l.Err())})
	}
	return lost
}

func names(all []resource) []string {
	var names []string
	for _, r := range all {
		names = append(names, r.name)
	}
	return names
}
