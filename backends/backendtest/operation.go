package backendtest

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

var operations = []Clause{
	{
		Name:  "Operation/Grants",
		Text:  "a request is granted at once or when its turn comes, in the order in which the requests were started",
		check: operationGrants,
	},
	{
		Name:  "Operation/ReleasesFirst",
		Text:  "an operation releases its grant in the same step as it requests, before its request is granted, and the request stands behind all who waited then",
		check: operationReleasesFirst,
	},
	{
		Name:  "Operation/ReleaseAlone",
		Text:  "an operation that releases a grant for which nobody waits, and requests the same name, is granted at once, with a new grant and a larger token",
		check: operationAlone,
	},
	{
		Name:  "Operation/AfterEnded",
		Text:  "the release of a grant that has ended says ErrLost and does not keep the request from being made; the successor is untouched",
		check: operationAfterEnded,
	},
	{
		Name:  "Operation/Cancel",
		Text:  "a request that is cancelled is told so once, and nothing of it is left, however far it has come: before its work is run, in the queue; after its grant, Cancel does nothing",
		check: operationCancel,
	},
	{
		Name:  "Operation/CancelReleases",
		Text:  "Cancel does not keep a grant of the operation from being released, even if it comes before the work is run",
		check: operationCancelReleases,
	},
	{
		Name:  "Operation/CancelRacesWork",
		Text:  "Cancel may come while the work runs: the request is granted or cancelled, and nothing is left",
		check: operationCancelRacesWork,
	},
	{
		Name:  "Operation/CancelRacesGrant",
		Text:  "a Cancel that races the grant ends in exactly one of the two",
		check: operationCancelRacesGrant,
	},
	{
		Name:  "Operation/EndedContext",
		Text:  "work whose context has ended fails the requests with the context's error; its releases go on: nothing stays held",
		check: operationEndedContext,
	},
	{
		Name:  "Operation/Refused",
		Text:  "a request that cannot be is told why, and its operation's release is made all the same",
		check: operationRefused,
	},
	{
		Name:  "Operation/StartInACallback",
		Text:  "a callback may start operations, its own among them once it has all its answers, and cancel them",
		check: operationInACallback,
	},
}

func operationGrants(s *session) {
	a, b := s.b, s.open()
	g := s.begin(a, nil, s.mutex()).grant(0)
	first := s.begin(b, nil, s.mutex())
	s.waitQueued(s.name, 1)
	second := s.queue(a, s.mutex())
	third := s.begin(a, nil, s.mutex())
	s.waitQueued(s.name, 3)
	s.busy(b, s.mutex())
	s.release(a, g)
	h := first.grant(0)
	s.release(b, h)
	k := second.granted()
	s.releaseAll(a, k)
	l := third.grant(0)
	if !(g.Token < h.Token && h.Token < k.Token && k.Token < l.Token) {
		s.Errorf("tokens %d, %d, %d, %d; want them to increase", g.Token, h.Token, k.Token, l.Token)
	}
	s.release(a, l)
}

func operationReleasesFirst(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	w := s.queue(b, s.mutex())
	o := s.begin(a, []backends.Grant{g}, s.mutex())
	o.freedAll()
	h := w.granted()
	s.waitQueued(s.name, 1)
	next := s.begin(b, []backends.Grant{h}, s.mutex())
	next.freedAll()
	k := o.grant(0)
	if k.ID == g.ID || k.Token <= h.Token {
		s.Errorf("the grant %+v after %+v and %+v; want a new one", k, g, h)
	}
	s.release(a, k)
	s.release(b, next.grant(0))
	s.unused(s.name)
	if o.early.Load() || next.early.Load() {
		s.Error("a request was granted before the release of its operation was answered")
	}
}

func operationAlone(s *session) {
	g := s.acquire(s.b, s.mutex())
	for range 5 {
		o := s.begin(s.b, []backends.Grant{g}, s.mutex())
		o.freedAll()
		h := o.grant(0)
		if h.ID == g.ID || h.Token <= g.Token || h.Waited {
			s.Errorf("the grant %+v after %+v; want a new one, at once", h, g)
		}
		if o.early.Load() {
			s.Error("the request was granted before the release was answered")
		}
		g = h
	}
	s.release(s.b, g)
	s.unused(s.name)
}

func operationAfterEnded(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	s.release(a, g)
	made := g
	made.ID.Seq += 1000 // the store knows the last one that was released, but not this
	h := s.acquire(b, s.mutex())
	o := s.begin(a, []backends.Grant{made}, s.mutex())
	o.freed(0, backends.ErrLost)
	s.waitQueued(s.name, 1)
	s.busy(b, s.mutex())
	s.release(b, h)
	s.release(a, o.grant(0))
}

func operationCancel(s *session) {
	a, b := s.b, s.open()
	early := s.prepare(a, nil, s.mutex())
	if early.start(); early.work != nil {
		early.cancel()
		early.run()
		early.fails(0, context.Canceled)
	} else {
		s.release(a, early.grant(0)) // a store without work
	}
	s.unused(s.name)

	g := s.acquire(a, s.mutex())
	o := s.begin(b, nil, s.mutex())
	s.waitQueued(s.name, 1)
	o.cancel()
	o.cancel()
	o.fails(0, context.Canceled)
	s.waits(0)
	s.release(a, g)

	late := s.begin(b, nil, s.mutex())
	h := late.grant(0)
	late.cancel()
	s.busy(a, s.mutex())
	s.release(b, h)
	s.unused(s.name)
}

func operationCancelReleases(s *session) {
	for _, ran := range []bool{false, true} {
		g := s.acquire(s.b, s.mutex())
		w := s.queue(s.open(), s.mutex())
		o := s.prepare(s.b, []backends.Grant{g}, s.mutex())
		o.start()
		if ran {
			o.run()
			o.cancel()
		} else {
			o.cancel()
			o.run()
		}
		o.freedAll()
		o.fails(0, context.Canceled)
		w.granted()
		s.waits(0)
		s.name += "+" // where it is held no more
	}
}

func operationCancelRacesWork(s *session) {
	b := s.open()
	for range s.env.Rounds {
		o := s.prepare(b, nil, s.mutex())
		o.start()
		ran := make(chan struct{})
		s.spawned.Go(func() { defer close(ran); o.run() })
		o.cancel()
		<-ran
		if a := o.answer(0); a.err == nil {
			s.release(b, a.grant)
		} else if !errors.Is(a.err, context.Canceled) {
			s.Fatalf("a request that was cancelled: %v", a.err)
		}
		s.release(s.b, s.acquire(s.b, s.mutex())) // would wait for ever if the other one had kept it
	}
	s.unused(s.name)
}

func operationCancelRacesGrant(s *session) {
	a, b := s.b, s.open()
	for range s.env.Rounds {
		g := s.acquire(a, s.mutex())
		o := s.begin(b, nil, s.mutex())
		s.spawned.Go(o.cancel)
		s.release(a, g)
		if a := o.answer(0); a.err == nil {
			s.release(b, a.grant)
		} else if !errors.Is(a.err, context.Canceled) {
			s.Fatalf("a request that was cancelled: %v", a.err)
		}
	}
	s.unused(s.name)
}

func operationEndedContext(s *session) {
	done, cancel := context.WithCancel(s.ctx)
	cancel()
	free := s.mutex()
	free.Name += "/free"
	g := s.acquire(s.b, s.mutex())
	o := s.prepare(s.b, []backends.Grant{g}, free)
	if o.start(); o.work == nil {
		o.freedAll()
		s.release(s.b, o.grant(0))
		s.Log("the store returns no work, so there is no context")
		return
	}
	o.work(done)
	o.fails(0, context.Canceled)
	if err := <-o.releases[0]; err != nil && !errors.Is(err, backends.ErrUnavailable) {
		s.Errorf("a release whose context has ended: %v; want nil or ErrUnavailable", err)
	}
	s.unused(s.name)
	s.unused(free.Name)
	s.release(s.b, s.acquire(s.b, s.mutex()))
}

func operationRefused(s *session) {
	g := s.acquire(s.b, s.permits(1, 2))
	s.begin(s.b, nil, s.permits(1, 3)).fails(0, backends.ErrMismatch)
	r := s.permits(1, 2)
	r.Weight = 3
	o := s.begin(s.b, []backends.Grant{g}, r)
	o.freedAll()
	o.fails(0, backends.ErrTooLarge)
	s.unused(s.name)
}

// operationInACallback has each grant start its own release and the next acquire, both in the
// callback.
func operationInACallback(s *session) {
	b := s.open()
	left, ended := s.env.Rounds, make(chan error, 1)
	// A callback must not block, so somebody else runs the work.
	start := func(op *backends.Op) {
		if work := b.Start(op); work != nil {
			s.spawned.Go(func() { work(s.ctx) })
		}
	}
	op := &backends.Op{Acquire: []backends.Request{s.mutex()}, Wait: true}
	op.Granted = func(_ int, g backends.Grant, err error) {
		if left--; err != nil {
			ended <- err
			return
		}
		idle := &backends.Op{Acquire: op.Acquire, Wait: true}
		idle.Granted = func(_ int, g backends.Grant, err error) {
			if err == nil { // the release of the other grant has overtaken the cancel
				start(&backends.Op{Release: []backends.Grant{g}, Released: func(int, error) {}})
			} else if !errors.Is(err, context.Canceled) {
				s.Errorf("a request behind the holder that cancels it was told %v", err)
			}
		}
		start(idle) // waits for g
		next := &backends.Op{Release: []backends.Grant{g}, Released: func(_ int, err error) {
			if err != nil || left <= 0 {
				ended <- err
			}
		}}
		if left > 0 {
			next.Acquire, next.Wait, next.Granted = []backends.Request{s.mutex()}, true, op.Granted
		}
		if work := b.Cancel(idle); work != nil {
			s.spawned.Go(func() { work(s.ctx) })
		}
		start(next)
	}
	start(op)
	select {
	case err := <-ended:
		if err != nil {
			s.Fatalf("an operation that a callback had started: %v", err)
		}
	case <-s.ctx.Done():
		s.Fatalf("the chain of callbacks has stopped %d rounds before its end; state: %s", left, s.describe())
	}
	s.unused(s.name)
}
