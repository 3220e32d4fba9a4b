package backendtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/history"
)

// tempest is a storm of operations.
type tempest struct {
	*session
	mu     sync.Mutex
	placed []placed
	clock  int64 // of what was started and placed
}

// placed is a grant with the time when its operation was started, and when its request stood in its
// queue.
type placed struct {
	name         string
	start, place int64
	token        uint64
}

func (t *tempest) now() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock++
	return t.clock
}

// stormOfOperations lets 8 goroutines of each of three clients start operations of all kinds, and
// checks the history of their grants, and their order.
func stormOfOperations(s *session) {
	t := &tempest{session: s}
	var names []string
	for i, name := range s.names(4) {
		names = append(names, name)
		if i%2 == 0 {
			names = append(names, fmt.Sprintf("%s/apart/%d", s.name, i))
		}
	}
	s.record(func(b backends.Backend, rec *history.Recorder, holder string) {
		t.rage(b, rec, holder, names)
	}, s.open(), s.open(), s.open())
	t.inOrder()
	s.Logf("%d grants", len(t.placed))
}

// rage is one goroutine of the storm. It holds what it got until its next operation releases it.
func (t *tempest) rage(b backends.Backend, rec *history.Recorder, holder string, names []string) {
	var held []backends.Grant
	var holds []history.Hold
	for round := range t.env.Rounds / 4 {
		var rs []backends.Request
		if last := round == t.env.Rounds/4-1; !last {
			rs = t.anyRequests(names)
		}
		for _, h := range holds {
			h.Ended()
		}
		o := &storming{tempest: t, b: b, rec: rec, holder: holder, got: make(chan struct{}, len(rs))}
		if held, holds = o.do(held, rs); t.Failed() {
			return
		}
		for range rand.IntN(4) {
			runtime.Gosched()
		}
	}
}

// anyRequests returns requests for 1 to 3 of the names, each of which has a kind of its own.
func (t *tempest) anyRequests(names []string) []backends.Request {
	var rs []backends.Request
	for _, i := range rand.Perm(len(names))[:1+rand.IntN(3)] {
		var r backends.Request
		switch {
		case i%3 == 0:
			r = t.mutex()
		case i%3 == 1:
			r = t.permits(1+rand.Int64N(3), 3)
		case rand.IntN(2) == 0:
			r = t.reader()
		default:
			r = t.writer()
		}
		rs = append(rs, named(names[i], r))
	}
	return rs
}

// storming is one operation of the storm.
type storming struct {
	*tempest
	b      backends.Backend
	rec    *history.Recorder
	holder string

	holding sync.Mutex
	held    []backends.Grant
	holds   []history.Hold
	got     chan struct{}
}

// do releases and requests in one operation, and now and then cancels it. It returns what it holds.
func (o *storming) do(
	release []backends.Grant, rs []backends.Request,
) ([]backends.Grant, []history.Hold) {
	start, asked := o.now(), history.Now()
	freed := make(chan error, len(release))
	op := &backends.Op{Release: release, Acquire: rs, Wait: rand.IntN(4) > 0}
	op.Released = func(_ int, err error) { freed <- err }
	tokens := make([]uint64, len(rs))
	op.Granted = func(i int, g backends.Grant, err error) {
		if err == nil {
			tokens[i] = g.Token
			o.hold(rs[i], g, asked)
		} else if !errors.Is(err, context.Canceled) && !errors.Is(err, backends.ErrBusy) {
			o.Errorf("%s: %v", show(rs[i]), err)
		}
		o.got <- struct{}{}
	}
	if work := o.b.Start(op); work != nil {
		work(o.ctx)
	}
	place := o.now()
	if rand.IntN(4) == 0 {
		if work := o.b.Cancel(op); work != nil {
			work(o.ctx)
		}
	}
	for range release {
		if err := <-freed; err != nil {
			o.Errorf("a release: %v", err)
		}
	}
	for range rs {
		select {
		case <-o.got:
		case <-o.ctx.Done(): // the storm says so
			return nil, nil
		}
	}
	o.note(rs, tokens, start, place)
	return o.held, o.holds
}

// hold notes a grant as soon as it is told.
func (o *storming) hold(r backends.Request, g backends.Grant, asked int64) {
	h := o.rec.Granted(history.Grant{
		Name: r.Name, Capacity: r.Capacity, Weight: r.Weight, Token: g.Token,
		Holder: o.holder, Asked: asked,
	})
	o.holding.Lock()
	defer o.holding.Unlock()
	o.held, o.holds = append(o.held, g), append(o.holds, h)
}

// note keeps when the grants of an operation were placed. Where not all names are taken in one
// step, only a single request is known to be placed when its work is done.
func (t *tempest) note(rs []backends.Request, tokens []uint64, start, place int64) {
	if len(rs) > 1 && t.env.Together != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, token := range tokens {
		if token > 0 {
			t.placed = append(t.placed, placed{rs[i].Name, start, place, token})
		}
	}
}

// inOrder expects that no grant has a smaller token than another one whose request stood in the
// queue before its own operation was started.
func (t *tempest) inOrder() {
	slices.SortFunc(t.placed, func(a, b placed) int { return cmp.Compare(a.token, b.token) })
	latest := make(map[string]placed) // of those with a smaller token: the one that was started last
	for _, p := range t.placed {
		if before, ok := latest[p.name]; ok && before.start > p.place {
			t.Errorf("%q: token %d was granted before token %d, whose request had its place earlier",
				p.name, before.token, p.token)
		}
		if p.start > latest[p.name].start {
			latest[p.name] = p
		}
	}
}
