package backendtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/lockkeeper/lockkeeper/backends"
)

var several = []Clause{
	{
		Name:  "Several/FreeAtOnce",
		Text:  "a request for several names that are free is granted at once, each name once, with its own grant; one operation releases them all",
		check: severalFree,
	},
	{
		Name:  "Several/MixedKinds",
		Text:  "the requests of one operation may be of any kinds, each with its own weight and tokens",
		check: severalKinds,
	},
	{
		Name:  "Several/GrantedOneByOne",
		Text:  "the requests of an operation are granted as their queues move, in any order; what is granted is held while the others wait",
		check: severalOneByOne,
	},
	{
		Name:  "Several/PlacesAtOnce",
		Text:  "an operation takes its places in all queues in one step: who comes later waits behind it for every name, and it waits behind who came before",
		check: severalPlaces,
	},
	{
		Name:  "Several/OneOrder",
		Text:  "two operations over the same names, in whatever order they name them, stand in the same order in all their queues: they never wait for each other",
		check: severalOneOrder,
	},
	{
		Name:  "Several/NeverDeadlock",
		Text:  "operations of several clients over overlapping names, started at any time and named in any order, all end",
		check: severalNoDeadlock,
	},
	{
		Name:  "Several/ReleasesSeveral",
		Text:  "an operation releases several grants and answers each: nil, or ErrLost for one that has ended; the waiters of each name move up",
		check: severalReleases,
	},
	{
		Name:  "Several/ReleasesThenRequests",
		Text:  "an operation that releases several names and requests several stands behind all who waited for them, and is granted at once where nobody did",
		check: severalReleasesThenRequests,
	},
}

func severalFree(s *session) {
	b := s.open()
	names := s.names(5)
	gs := s.begin(b, nil, s.mutexes(names...)...).grants()
	for i, g := range gs {
		if g.Resource.Name != names[i] || g.Waited || g.Contended {
			s.Errorf("grant %d is %+v; want one of %q that nobody waits for", i, g, names[i])
		}
		for _, h := range gs[:i] {
			if h.ID == g.ID {
				s.Errorf("%q and %q have the grant %v in common", g.Resource.Name, h.Resource.Name, g.ID)
			}
		}
		s.busy(s.b, named(names[i], s.mutex()))
	}
	s.releaseAll(b, gs...)
	for _, name := range names {
		s.unused(name)
	}
	gs = s.attempt(s.b, s.mutexes(names...)...).grants() // a try, too
	s.releaseAll(s.b, gs...)
	s.listsNothing(s.b)
}

func severalKinds(s *session) {
	a, b := s.b, s.open()
	names := s.names(4)
	block := named(names[0], s.mutex())
	block.Tokens = 5
	mixed := func() *operation {
		return s.begin(b, nil, block,
			named(names[1], s.reader()), named(names[2], s.writer()), named(names[3], s.permits(2, 3)))
	}
	o := mixed()
	gs := o.grants()
	beside := []backends.Grant{
		s.try(a, named(names[1], s.reader())), s.try(a, named(names[3], s.permits(1, 3))),
	}
	s.busy(a, named(names[2], s.reader()))
	s.busy(a, named(names[3], s.permits(1, 3)))
	s.releaseAll(b, gs...)
	s.busy(a, named(names[1], s.writer()))

	writer := s.acquire(a, named(names[2], s.writer()))
	o = mixed() // waits for the writer, and for a permit
	gs = []backends.Grant{o.grant(0), o.grant(1)}
	if gs[0].Tokens != 5 {
		s.Errorf("the grant %+v has not the tokens that were asked for", gs[0])
	}
	third := o.grant(3)
	o.pending(2)
	s.release(a, writer)
	s.releaseAll(b, append(gs, o.grant(2), third)...)
	s.releaseAll(a, beside...)
	s.listsNothing(a)
}

func severalOneByOne(s *session) {
	a, b := s.b, s.open()
	names := s.names(4)
	held := make([]backends.Grant, 3)
	for i := range held {
		held[i] = s.acquire(a, named(names[i], s.mutex()))
	}
	o := s.begin(b, nil, s.mutexes(names...)...)
	last := o.grant(3)
	if last.Waited {
		s.Errorf("the grant of a free name waited: %+v", last)
	}
	got := []backends.Grant{last}
	for _, i := range []int{1, 2, 0} {
		s.waitQueued(names[i], 1)
		o.pending(i)
		s.release(a, held[i])
		g := o.grant(i)
		if !g.Waited || g.Token <= held[i].Token {
			s.Errorf("the grant %+v after %+v; want one that waited", g, held[i])
		}
		got = append(got, g)
		for _, g := range got { // all that it has been granted is held, whatever it waits for
			s.busy(a, named(g.Resource.Name, s.mutex()))
			if r := s.renew(b, backends.Renewal{Grant: g, TTL: long}); r.Err != nil {
				s.Errorf("Renew of a granted part: %v", r.Err)
			}
		}
	}
	s.releaseAll(b, got...)
	s.listsNothing(a)
}

func severalPlaces(s *session) {
	a, b := s.b, s.open()
	names := s.names(2)
	x, y := named(names[0], s.mutex()), named(names[1], s.mutex())
	holdX, holdY := s.acquire(a, x), s.acquire(a, y)
	before := s.queue(a, y) // stands before the operation, for one of its names
	o := s.begin(b, nil, x, y)
	s.waitQueued(x.Name, 1)
	s.waitQueued(y.Name, 2)
	afterX, afterY := s.queue(a, x), s.queue(a, y)
	s.release(a, holdX)
	s.release(a, holdY)
	g := before.granted()
	got := []backends.Grant{o.grant(0)}
	o.pending(1)
	s.waitQueued(x.Name, 1) // it holds x, so the single request waits although the other part does
	s.waitQueued(y.Name, 2)
	s.release(a, g)
	got = append(got, o.grant(1))
	s.waitQueued(y.Name, 1)
	s.releaseAll(b, got...)
	s.releaseAll(a, afterX.granted(), afterY.granted())
	s.listsNothing(a)
}

func severalOneOrder(s *session) {
	a, b, c := s.b, s.open(), s.open()
	names := s.names(2)
	x, y := named(names[0], s.mutex()), named(names[1], s.mutex())
	for _, order := range [][]backends.Request{{x, y}, {y, x}} {
		for i := range 2 { // whichever of the two the first operation has to wait for
			held := s.acquire(c, order[i])
			first := s.begin(a, nil, order...)
			s.waitQueued(order[i].Name, 1)
			second := s.begin(b, nil, order[1], order[0])
			s.waitBehind(x.Name, y.Name)
			s.release(c, held)
			s.releaseAll(a, first.grants()...)
			s.releaseAll(b, second.grants()...)
		}
	}
	s.listsNothing(a)
}

// waitBehind returns when both operations of severalOneOrder stand in all queues: they have four
// places, held or waited for, beside the one that is held.
func (s *session) waitBehind(names ...string) {
	s.Helper()
	for {
		n := 0
		for _, name := range names {
			state := s.inspect(name)
			n += len(state.Holders) + len(state.Waiters)
		}
		if n == 5 {
			return
		}
		if s.ctx.Err() != nil {
			s.Fatalf("two operations over two names, of which one is held, have %d places with the holder; want 5", n)
		}
	}
}

func severalNoDeadlock(s *session) {
	names := s.names(4)
	for i := range 4 { // whether or not the store takes them in one step
		names = append(names, fmt.Sprintf("%s/apart/%d", s.name, i))
	}
	var all sync.WaitGroup
	for _, b := range []backends.Backend{s.b, s.open(), s.open()} {
		for range 4 {
			s.spawned.Add(1)
			all.Go(func() {
				defer s.spawned.Done()
				for range s.env.Rounds / 4 {
					mine := slices.Clone(names)
					rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
					if !s.holdAll(b, s.mutexes(mine[:1+rand.IntN(3)]...)) {
						return
					}
				}
			})
		}
	}
	all.Wait()
	if s.ctx.Err() != nil {
		s.Fatalf("operations wait for each other")
	}
	s.listsNothing(s.b)
}

// holdAll acquires and releases, in a goroutine that must not end the clause.
func (s *session) holdAll(b backends.Backend, rs []backends.Request) bool {
	answers := make(chan outcome, len(rs))
	op := &backends.Op{Acquire: rs, Wait: true}
	op.Granted = func(_ int, g backends.Grant, err error) { answers <- outcome{g, err} }
	if work := b.Start(op); work != nil {
		work(s.ctx)
	}
	var gs []backends.Grant
	for range rs {
		select {
		case a := <-answers:
			if a.err != nil {
				s.Errorf("a request for several names: %v", a.err)
				return false
			}
			gs = append(gs, a.grant)
		case <-s.ctx.Done():
			if work := b.Cancel(op); work != nil {
				work(s.ctx)
			}
			return false
		}
	}
	released := make(chan error, len(gs))
	end := &backends.Op{Release: gs, Released: func(_ int, err error) { released <- err }}
	if work := b.Start(end); work != nil {
		work(s.ctx)
	}
	for range gs {
		if err := <-released; err != nil {
			s.Errorf("a release of several names: %v", err)
			return false
		}
	}
	return true
}

func severalReleases(s *session) {
	a, b := s.b, s.open()
	names := s.names(3)
	gs := s.begin(a, nil, s.mutexes(names...)...).grants()
	s.release(a, gs[1])
	ended := gs[1]
	ended.ID.Seq += 1000 // the store knows the last one that was released, but not this
	gs[1] = ended
	w0, w2 := s.queue(b, named(names[0], s.mutex())), s.queue(b, named(names[2], s.mutex()))
	other := s.acquire(b, named(names[1], s.mutex()))
	o := s.begin(a, gs)
	o.freed(0, nil)
	o.freed(1, backends.ErrLost)
	o.freed(2, nil)
	s.busy(a, named(names[1], s.mutex()))
	s.releaseAll(b, w0.granted(), other, w2.granted())
	s.listsNothing(a)
}

func severalReleasesThenRequests(s *session) {
	a, b := s.b, s.open()
	names := s.names(3)
	gs := s.begin(a, nil, s.mutexes(names[:2]...)...).grants()
	w := s.queue(b, named(names[0], s.mutex()))
	o := s.begin(a, gs, s.mutexes(names[1], names[0], names[2])...)
	o.freedAll()
	h := w.granted()
	again, third := o.grant(0), o.grant(2)
	if again.ID == gs[1].ID || again.Token <= gs[1].Token || again.Waited {
		s.Errorf("the grant %+v after %+v; want a new one, at once", again, gs[1])
	}
	s.waitQueued(names[0], 1)
	o.pending(1)
	s.release(b, h)
	last := o.grant(1)
	if last.Token <= h.Token {
		s.Errorf("token %d after %d", last.Token, h.Token)
	}
	if o.early.Load() {
		s.Error("a request was granted before a release of its operation was answered")
	}
	s.releaseAll(a, again, third, last)
	s.listsNothing(a)
}
