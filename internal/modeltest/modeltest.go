package modeltest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

const (
	// MostSteps bounds one sequence: the fuzzer finds more with many short ones.
	MostSteps = 40

	clients  = 3
	patience = time.Minute // for what must come, on a busy machine
	long     = 5 * time.Minute
)

// names are in use as different kinds at different times. One of them needs an encoding everywhere.
var names = [...]string{"a", "}%\xff~B"}

// shapes are what a step can request of a name.
var shapes = [...]backends.Request{
	{Resource: backends.Resource{Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1},
	{Resource: backends.Resource{Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 3},
	{Resource: backends.Resource{Kind: backends.ReadWrite, Capacity: backends.ReadWriteCapacity}, Weight: 1, Tokens: 1},
	{Resource: backends.Resource{Kind: backends.ReadWrite, Capacity: backends.ReadWriteCapacity}, Weight: backends.ReadWriteCapacity, Tokens: 1},
	{Resource: backends.Resource{Kind: backends.Semaphore, Capacity: 3}, Weight: 1, Tokens: 1},
	{Resource: backends.Resource{Kind: backends.Semaphore, Capacity: 3}, Weight: 2, Tokens: 1},
	{Resource: backends.Resource{Kind: backends.Semaphore, Capacity: 3}, Weight: 3, Tokens: 2},
	{Resource: backends.Resource{Kind: backends.Semaphore, Capacity: 2}, Weight: 1, Tokens: 1},
}

// The kinds of steps. A step is two bytes: what, and with what.
const (
	stepTry = iota
	stepAcquire
	stepTryBoth
	stepAcquireBoth
	stepRelease
	stepExchange // release, and acquire another in one step
	stepCancel
	stepRenew
	stepBreak
	stepRepeat // a release that was made before
	steps
)

// Seeds are sequences that come to every kind of step.
func Seeds() [][]byte {
	return [][]byte{
		{},
		{stepTry, 0, stepTry, 1, stepRelease, 0, stepTry, 16, stepRepeat, 0},
		{stepAcquire, 0, stepAcquire, 1, stepAcquire, 2, stepRelease, 0, stepCancel, 1, stepRelease, 0},
		{stepAcquire, 16, stepAcquire, 17, stepAcquire, 24, stepAcquire, 16, stepRelease, 0, stepRelease, 0, stepRelease, 0},
		{stepAcquire, 32, stepAcquire, 41, stepAcquire, 48, stepTry, 56, stepBreak, 0, stepRenew, 0, stepRelease, 0},
		{stepAcquireBoth, 0, stepAcquireBoth, 1, stepTryBoth, 2, stepExchange, 0, stepRelease, 1, stepRelease, 0, stepBreak, 1},
		{stepAcquire, 32, stepAcquire, 33, stepAcquire, 34, stepAcquire, 35, stepTry, 32, stepRelease, 1, stepAcquire, 40, stepRelease, 0},
		{stepTryBoth, 32, stepRenew, 0, stepRenew, 1, stepExchange, 40, stepAcquire, 34, stepCancel, 0, stepRelease, 0},
	}
}

// Run runs the steps. Open returns a further client of an empty store, which Run closes.
func Run(t *testing.T, open func(t testing.TB) backends.Backend, sequence []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w := &world{T: t, ctx: ctx, last: make(map[string]uint64)}
	model := memory.New()
	for i := range clients {
		w.stores[i] = open(t)
		w.models[i] = model.Peer()
	}
	defer w.close(model)
	for n := 0; n+1 < len(sequence) && n < 2*MostSteps && !t.Failed(); n += 2 {
		w.step(int(sequence[n])%steps, int(sequence[n+1]))
		w.settle()
	}
	if !t.Failed() {
		w.end()
	}
}

// world is a store and its model.
type world struct {
	*testing.T
	ctx    context.Context
	stores [clients]backends.Backend
	models [clients]backends.Backend
	ops    []*pair
	held   []grant // in the order of the grants
	gone   []grant // released, or broken
	last   map[string]uint64
	log    []string
}

// grant is what both have granted.
type grant struct {
	client       int
	store, model backends.Grant
	broken       bool
}

// pair is an operation of both.
type pair struct {
	client       int
	store, model *run
	taken        []bool // the answer of the request was taken in
	repeats      bool   // it releases once more: a store may remember the first time, or not
}

// run is an operation of one of them, with its answers.
type run struct {
	op       *backends.Op
	mu       sync.Mutex
	grants   []answer
	releases []answer
}

type answer struct {
	times int
	grant backends.Grant
	err   error
}

func (a answer) String() string {
	switch {
	case a.times != 1:
		return fmt.Sprintf("answered %d times", a.times)
	case a.err != nil:
		return a.err.Error()
	}
	return fmt.Sprintf("granted %d of %d", a.grant.Weight, a.grant.Resource.Capacity)
}

func start(b backends.Backend, wait bool, release []backends.Grant, acquire []backends.Request) *run {
	r := &run{grants: make([]answer, len(acquire)), releases: make([]answer, len(release))}
	note := func(to []answer, i int, g backends.Grant, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		to[i] = answer{to[i].times + 1, g, err}
	}
	r.op = &backends.Op{
		Release: release, Acquire: acquire, Wait: wait,
		Granted:  func(i int, g backends.Grant, err error) { note(r.grants, i, g, err) },
		Released: func(i int, err error) { note(r.releases, i, backends.Grant{}, err) },
	}
	if work := b.Start(r.op); work != nil {
		work(context.Background())
	}
	return r
}

// answers are those of now: of the requests, and then of the releases.
func (r *run) answers() []answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(slices.Clone(r.grants), r.releases...)
}

func (w *world) step(what, with int) {
	client, both := with%clients, names[:]
	request := shapes[with/8%len(shapes)]
	request.TTL, request.Owner = long, backends.Owner{Host: "h\xff", PID: client, Label: fmt.Sprint(client)}
	one := names[with%8/4 : with%8/4+1]
	w.log = append(w.log, fmt.Sprintf("%d %d", what, with))
	switch what {
	case stepTry, stepAcquire:
		w.start(client, what == stepAcquire, nil, requests(request, one))
	case stepTryBoth, stepAcquireBoth:
		w.start(client, what == stepAcquireBoth, nil, requests(request, both))
	case stepRelease, stepExchange:
		if len(w.held) == 0 {
			return
		}
		i := with % len(w.held)
		g := w.held[i]
		w.held = slices.Delete(w.held, i, i+1)
		w.gone = append(w.gone, g)
		var next []backends.Request
		if what == stepExchange {
			next = requests(request, one)
		}
		w.start(g.client, true, []grant{g}, next)
	case stepRepeat:
		if len(w.gone) > 0 {
			g := w.gone[with%len(w.gone)]
			w.start(g.client, true, []grant{g}, nil)
			w.ops[len(w.ops)-1].repeats = !g.broken
		}
	case stepCancel:
		if len(w.ops) > 0 {
			w.cancel(w.ops[with%len(w.ops)])
		}
	case stepRenew:
		if all := slices.Concat(w.held, w.gone); len(all) > 0 {
			w.renew(all[with%len(all)], with/8%3)
		}
	case stepBreak:
		w.breakName(one[0], client)
	}
}

func requests(r backends.Request, names []string) []backends.Request {
	rs := make([]backends.Request, len(names))
	for i, name := range names {
		rs[i] = r
		rs[i].Name = name
	}
	return rs
}

func (w *world) start(client int, wait bool, release []grant, acquire []backends.Request) {
	var ofStore, ofModel []backends.Grant
	for _, g := range release {
		ofStore, ofModel = append(ofStore, g.store), append(ofModel, g.model)
	}
	w.ops = append(w.ops, &pair{
		client: client,
		model:  start(w.models[client], wait, ofModel, acquire),
		store:  start(w.stores[client], wait, ofStore, acquire),
		taken:  make([]bool, len(acquire)),
	})
}

func (w *world) cancel(p *pair) {
	for _, c := range []struct {
		b backends.Backend
		r *run
	}{{w.models[p.client], p.model}, {w.stores[p.client], p.store}} {
		if work := c.b.Cancel(c.r.op); work != nil {
			work(context.Background())
		}
	}
}

func (w *world) renew(g grant, tokens int) {
	if g.store.Weight != g.store.Resource.Capacity {
		tokens = 0
	}
	s := w.stores[g.client].Renew(w.ctx, []backends.Renewal{{Grant: g.store, TTL: long, Tokens: tokens}})[0]
	m := w.models[g.client].Renew(w.ctx, []backends.Renewal{{Grant: g.model, TTL: long, Tokens: tokens}})[0]
	if !alike(s.Err, m.Err) {
		w.failf("a renewal of %+v was answered %v; the model says %v", g.store, s.Err, m.Err)
	}
	if s.Err == nil && tokens > 0 {
		name := g.store.Resource.Name
		w.last[name] = w.mint(name, s.Token, tokens, s.Tokens)
	}
}

func (w *world) breakName(name string, client int) {
	s, m := w.stores[client].Break(w.ctx, name), w.models[client].Break(w.ctx, name)
	if !alike(s, m) {
		w.failf("Break(%q): %v; the model says %v", name, s, m)
	}
	kept := w.held[:0]
	for _, g := range w.held {
		if g.store.Resource.Name == name {
			g.broken = true
			w.gone = append(w.gone, g)
			w.renew(g, 0) // so that its client takes note: a file store keeps the kind of the name until then
		} else {
			kept = append(kept, g)
		}
	}
	w.held = kept
}

// mint checks new tokens, which are larger than those before this step, and returns the last.
func (w *world) mint(name string, first uint64, want, n int) (last uint64) {
	if first <= w.last[name] || n != want {
		w.failf("%q: %d tokens from %d after %d; want %d larger ones", name, n, first, w.last[name], want)
	}
	return first + uint64(n) - 1
}

// end cancels and releases everything, and checks that nothing is left.
func (w *world) end() {
	for len(w.ops) > 0 && !w.Failed() { // one after the other: a cancel lets others be granted
		w.cancel(w.ops[0])
		w.settle()
	}
	for len(w.held) > 0 && !w.Failed() {
		w.step(stepRelease, 0)
		w.settle()
	}
	for s, err := range w.stores[0].List(w.ctx) {
		w.failf("%+v, %v is left", s, err)
	}
}

func (w *world) close(model *memory.Backend) {
	for _, b := range slices.Concat(w.stores[:], w.models[:], []backends.Backend{model}) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := b.Close(ctx); err != nil {
			w.Errorf("Close: %v", err)
		}
		cancel()
	}
}
