package redis_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// A client whose state may be half changed must grant nothing more, and answer at once.
func TestPanicInNotifyEndsTheClient(t *testing.T) {
	b := newBed(t, server.Get(t))
	a, c := b.open(), b.open()
	r := mutex("n", time.Second)
	r.Notify = func(backends.Event) { panic("as the test wants") }
	b.acquire(a, r)
	own := b.queue(a, mutex("n", time.Second))
	b.listening(a)
	w := b.start(c, mutex("n", time.Second)) // a is told that c waits
	<-own.ended
	if !errors.Is(own.err, backends.ErrUnavailable) {
		t.Errorf("a waiting Acquire: %v, want ErrUnavailable", own.err)
	}
	if _, err := backends.TryAcquire(b.ctx, a, mutex("m", time.Second)); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("TryAcquire: %v, want ErrUnavailable", err)
	}
	if err := a.Close(b.ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	b.release(c, w.granted()) // its grant and its request end by themselves
}

func TestBreakIsToldToTheHolder(t *testing.T) {
	b := newBed(t, server.Get(t))
	a := b.open()
	events := make(chan backends.Event, 8)
	r := mutex("n", time.Hour)
	r.Notify = func(e backends.Event) { events <- e }
	g := b.acquire(a, r)
	b.listening(a) // because it has held for a moment
	if err := b.open().Break(b.ctx, "n"); err != nil {
		t.Fatal(err)
	}
	e := <-events
	var lost *backends.LostError
	if e.Type != backends.Lost || !errors.As(e.Err, &lost) || lost.Token != g.Token {
		t.Fatalf("event %+v, want the loss of token %d", e, g.Token)
	}
	// The look that follows a new subscription may come before the message that says why.
	if lost.Reason != backends.Broken && lost.Reason != backends.NotOwner {
		t.Errorf("the reason is %q", lost.Reason)
	}
}
