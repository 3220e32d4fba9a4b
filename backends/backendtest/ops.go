package backendtest

import (
	"errors"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/backends"
)

// operation is an op of a clause, with what its callbacks were told.
type operation struct {
	s        *session
	b        backends.Backend
	op       *backends.Op
	work     backends.Work // from Start on
	answers  []chan outcome
	releases []chan error
	told     []atomic.Int32 // how often: requests, then releases
	early    atomic.Bool    // a grant was told before a release
}

type outcome struct {
	grant backends.Grant
	err   error
}

// prepare makes an operation. At the end of the clause no callback may have been told twice.
func (s *session) prepare(
	b backends.Backend, release []backends.Grant, acquire ...backends.Request,
) *operation {
	o := &operation{s: s, b: b, told: make([]atomic.Int32, len(acquire)+len(release))}
	for range acquire {
		o.answers = append(o.answers, make(chan outcome, 1))
	}
	for range release {
		o.releases = append(o.releases, make(chan error, 1))
	}
	o.op = &backends.Op{
		Release: release, Acquire: acquire, Wait: true, Granted: o.granted, Released: o.released,
	}
	s.Cleanup(func() {
		for i := range o.told {
			if n := o.told[i].Load(); n > 1 {
				s.Errorf("a callback was told %d times: number %d of %s", n, i, o.show())
			}
		}
	})
	return o
}

func (o *operation) show() string {
	text := "an operation"
	for _, g := range o.op.Release {
		text += " -" + g.Resource.Name
	}
	for _, r := range o.op.Acquire {
		text += " +" + show(r)
	}
	return text
}

func (o *operation) granted(i int, g backends.Grant, err error) {
	for j := range o.releases {
		if o.told[len(o.answers)+j].Load() == 0 && err == nil {
			o.early.Store(true)
		}
	}
	if o.told[i].Add(1) == 1 {
		o.answers[i] <- outcome{g, err}
	}
}

func (o *operation) released(i int, err error) {
	if o.told[len(o.answers)+i].Add(1) == 1 {
		o.releases[i] <- err
	}
}

// begin starts an operation that waits, and runs its work.
func (s *session) begin(
	b backends.Backend, release []backends.Grant, acquire ...backends.Request,
) *operation {
	return s.prepare(b, release, acquire...).begin()
}

// attempt starts a try, and runs its work.
func (s *session) attempt(b backends.Backend, acquire ...backends.Request) *operation {
	o := s.prepare(b, nil, acquire...)
	o.op.Wait = false
	return o.begin()
}

func (o *operation) begin() *operation {
	o.start()
	o.run()
	return o
}

func (o *operation) start() { o.work = o.b.Start(o.op) }

// run runs the work that Start has returned. Afterwards the requests stand in their queues, or will
// before any request that is started later.
func (o *operation) run() {
	if o.work != nil {
		o.work(o.s.ctx)
	}
}

func (o *operation) cancel() {
	if work := o.b.Cancel(o.op); work != nil {
		work(o.s.ctx)
	}
}

// answer waits for the answer to request i.
func (o *operation) answer(i int) outcome {
	o.s.Helper()
	select {
	case a := <-o.answers[i]:
		return a
	case <-o.s.ctx.Done():
		o.s.Fatalf("request %d of %s has had no answer; state: %s", i, o.show(), o.s.describe())
		return outcome{}
	}
}

// grant expects that request i is granted.
func (o *operation) grant(i int) backends.Grant {
	o.s.Helper()
	a := o.answer(i)
	if a.err != nil {
		o.s.Fatalf("request %d of %s failed: %v; want a grant", i, o.show(), a.err)
	}
	o.s.complete(a.grant, o.op.Acquire[i])
	return a.grant
}

// grants expects that all requests are granted.
func (o *operation) grants() []backends.Grant {
	o.s.Helper()
	var all []backends.Grant
	for i := range o.answers {
		all = append(all, o.grant(i))
	}
	return all
}

// fails expects that request i fails.
func (o *operation) fails(i int, want error) {
	o.s.Helper()
	if a := o.answer(i); !errors.Is(a.err, want) || a.grant != (backends.Grant{}) {
		o.s.Fatalf("request %d of %s: %+v, %v; want %v", i, o.show(), a.grant, a.err, want)
	}
}

// refused expects that all requests fail.
func (o *operation) refused(want error) {
	o.s.Helper()
	for i := range o.answers {
		o.fails(i, want)
	}
}

// pending expects that request i has had no answer.
func (o *operation) pending(i int) {
	o.s.Helper()
	if o.told[i].Load() > 0 {
		a := o.answer(i)
		o.s.Fatalf("request %d of %s was told %+v, %v; want it to wait", i, o.show(), a.grant, a.err)
	}
}

// freed waits for the answer to release i, and expects it to be want, or nil for none.
func (o *operation) freed(i int, want error) {
	o.s.Helper()
	select {
	case err := <-o.releases[i]:
		if !errors.Is(err, want) {
			o.s.Fatalf("release %d of %s was told %v; want %v", i, o.show(), err, want)
		}
	case <-o.s.ctx.Done():
		o.s.Fatalf("what became of release %d of %s was not told", i, o.show())
	}
}

// freedAll expects that every grant was held until now.
func (o *operation) freedAll() {
	o.s.Helper()
	for i := range o.releases {
		o.freed(i, nil)
	}
}

// releaseAll releases grants in one operation.
func (s *session) releaseAll(b backends.Backend, gs ...backends.Grant) {
	s.Helper()
	s.begin(b, gs).freedAll()
}

// names returns n names that the store takes in one step.
func (s *session) names(n int) []string {
	if s.env.Together != nil {
		return s.env.Together(s.TB, n)
	}
	var names []string
	for i := range n {
		names = append(names, s.name+"/"+string(rune('a'+i)))
	}
	return names
}

// named is r for another name.
func named(name string, r backends.Request) backends.Request {
	r.Name = name
	return r
}

// mutexes are requests for the names as mutexes.
func (s *session) mutexes(names ...string) []backends.Request {
	var rs []backends.Request
	for _, name := range names {
		rs = append(rs, named(name, s.mutex()))
	}
	return rs
}
