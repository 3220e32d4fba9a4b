package actors

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// tellSteps builds a channel up to a mailbox, one step after the other.
func tellSteps() harness.Case {
	const wide, try, looks, handler = "envelopes of a word more", "and a select that does not wait",
		"and looks at context and state", "and a handler behind an interface"
	return harness.Case{
		Name:   "Tell, step by step",
		Models: "what the price of a message is made of",
		Sides: []harness.Side{
			{Name: plain, Run: told(1, toPlain)},
			{Name: wide, Run: told(1, toWide)},
			{Name: try, Run: told(1, toTry)},
			{Name: looks, Run: told(1, toLooks)},
			{Name: handler, Run: told(1, toHandler)},
			{Name: ours, Run: told(1, toActor)},
		},
		Checks: harness.Steps(plain, wide, try, looks, handler, ours),
	}
}

// envelope is a message with a word more, as one lies in a mailbox.
type envelope struct {
	message
	_ *int
}

// opener starts the goroutine behind a channel of envelopes.
func opener(k *counter) (chan envelope, func() error) {
	c, done := make(chan envelope, mailbox), make(chan struct{})
	go func() {
		defer close(done)
		for e := range c {
			k.take(e.message)
		}
	}()
	return c, func() error { close(c); <-done; return nil }
}

func toWide(k *counter) (consumer, error) {
	c, end := opener(k)
	return consumer{end: end, send: func(_ context.Context, n int, last chan<- struct{}) error {
		for i := range n {
			c <- envelope{message: message{seq: i, bytes: 1, last: last}}
		}
		return nil
	}}, nil
}

func toTry(k *counter) (consumer, error) {
	c, end := opener(k)
	return consumer{end: end, send: func(ctx context.Context, n int, last chan<- struct{}) error {
		for i := range n {
			if err := post(ctx, c, envelope{message: message{seq: i, bytes: 1, last: last}}); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

// post sends an envelope, or waits for room in a select.
func post(ctx context.Context, c chan<- envelope, e envelope) error {
	select {
	case c <- e:
		return nil
	default:
	}
	select {
	case c <- e:
		return nil
	case <-ctx.Done(): // it was not sent
		return ctx.Err()
	}
}

// looked is post with a look at the context and the state before, and at the state after.
func looked(ctx context.Context, c chan<- envelope, state *atomic.Uint32, e envelope) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if state.Load() > 0 {
		return errEnded
	}
	if err := post(ctx, c, e); err != nil {
		return err
	}
	if state.Load() > 1 {
		return errEnded
	}
	return nil
}

var errEnded = errors.New("the receiver has ended")

func toLooks(k *counter) (consumer, error) {
	c, end := opener(k)
	return sender(c, end), nil
}

// sender sends by looked.
func sender(c chan<- envelope, end func() error) consumer {
	state := new(atomic.Uint32)
	return consumer{end: end, send: func(ctx context.Context, n int, last chan<- struct{}) error {
		for i := range n {
			if err := looked(ctx, c, state, envelope{message: message{seq: i, bytes: 1, last: last}}); err != nil {
				return err
			}
		}
		return nil
	}}
}

// receives is what a handler of messages is.
type receives interface {
	Receive(ctx context.Context, m message) error
}

func toHandler(k *counter) (consumer, error) {
	c, done := make(chan envelope, mailbox), make(chan struct{})
	var h receives = k
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		for e := range c {
			if h.Receive(ctx, e.message) != nil {
				return
			}
		}
	}()
	return sender(c, func() error { cancel(); close(c); <-done; return nil }), nil
}

// askSteps builds a request by channels up to an Ask, one step after the other.
func askSteps() harness.Case {
	const pooled, selected, looks = "replies from a pool", "and a select that waits", "and looks, and swaps that decide"
	return harness.Case{
		Name:   "Ask, step by step",
		Models: "what the price of a request is made of",
		Sides: []harness.Side{
			{Name: plain, Run: answered(1, askPlain)},
			{Name: pooled, Run: answered(1, askPooled)},
			{Name: selected, Run: answered(1, askSelected)},
			{Name: looks, Run: answered(1, askLooks)},
			{Name: ours, Run: answered(1, askActor)},
		},
		Checks: harness.Steps(plain, pooled, selected, looks, ours),
	}
}

// place is where an asker waits.
type place struct {
	word  atomic.Uint64 // 0: undecided
	value int
	ready chan struct{}
}

func (p *place) await(ctx context.Context) error {
	select {
	case <-p.ready:
		return nil
	case <-ctx.Done(): // an answer that comes now is dropped
		return ctx.Err()
	}
}

// places is a channel of requests with a pool of places, and the goroutine that answers them.
type places struct {
	pool  sync.Pool
	c     chan asking
	state atomic.Uint32
	done  chan struct{}
}

type asking struct {
	seq   int
	place *place
}

func newPlaces(answer func(asking)) *places {
	s := &places{c: make(chan asking, mailbox), done: make(chan struct{})}
	s.pool.New = func() any { return &place{ready: make(chan struct{}, 1)} }
	go func() {
		defer close(s.done)
		for q := range s.c {
			answer(q)
		}
	}()
	return s
}

func (s *places) end() error { close(s.c); <-s.done; return nil }

// answer answers without a look whether the asker still waits.
func answer(q asking) {
	q.place.value = q.seq + 1
	q.place.ready <- struct{}{}
}

func askPooled() (server, error) {
	s := newPlaces(answer)
	return server{end: s.end, ask: func(_ context.Context, n int) error {
		for i := range n {
			p, _ := s.pool.Get().(*place)
			s.c <- asking{i, p}
			<-p.ready
			got := p.value
			s.pool.Put(p)
			if got != i+1 {
				return wrong(i, got)
			}
		}
		return nil
	}}, nil
}

func askSelected() (server, error) {
	s := newPlaces(answer)
	return server{end: s.end, ask: func(ctx context.Context, n int) error {
		for i := range n {
			p, _ := s.pool.Get().(*place)
			s.c <- asking{i, p}
			if err := p.await(ctx); err != nil {
				return err
			}
			got := p.value
			s.pool.Put(p)
			if got != i+1 {
				return wrong(i, got)
			}
		}
		return nil
	}}, nil
}

// itself is the key by which a context says whose it is.
type itself struct{}

func askLooks() (server, error) {
	s := newPlaces(func(q asking) {
		if q.place.word.CompareAndSwap(0, 1) && q.place.word.CompareAndSwap(1, 2) { // taken, answered
			answer(q)
		}
	})
	return server{end: s.end, ask: func(ctx context.Context, n int) error {
		for i := range n {
			if ctx.Err() != nil || ctx.Value(itself{}) != nil || s.state.Load() > 0 {
				return errEnded
			}
			p, _ := s.pool.Get().(*place)
			s.c <- asking{i, p}
			if err := p.await(ctx); err != nil {
				return err
			}
			got := p.value
			p.word.Store(0)
			s.pool.Put(p)
			if got != i+1 {
				return wrong(i, got)
			}
		}
		return nil
	}}, nil
}
