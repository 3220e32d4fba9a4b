package backendtest

import (
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

var views = []Clause{
	{
		Name:  "Inspect/HoldersAndWaiters",
		Text:  "Inspect tells who holds, by token, and who waits, in the order of the queue, of every client",
		check: inspectAll,
	},
	{
		Name:  "Inspect/Unused",
		Text:  "a resource that nobody uses has neither holders nor waiters nor a kind, and that is no error",
		check: inspectUnused,
	},
	{
		Name:  "List/WhatIsInUse",
		Text:  "List yields every resource in use once, held or waited for by any client, and no other",
		check: listInUse,
	},
	{
		Name:  "List/EndsEarly",
		Text:  "a caller may leave List before its end, and use the backend while it goes on",
		check: listEndsEarly,
	},
	{
		Name:  "NothingLeftBehind",
		Text:  "when the last use of a name has ended nothing of it is left to list",
		check: nothingLeft,
	},
}

func owned(r backends.Request, label string) backends.Request {
	r.Owner = backends.Owner{Host: "host of " + label, PID: len(label), Label: label}
	return r
}

func inspectAll(s *session) {
	a, b := s.b, s.open()
	start := time.Now()
	g1 := s.acquire(b, owned(s.permits(2, 5), "first"))
	g2 := s.acquire(a, owned(s.permits(3, 5), "second, label"))
	w1 := s.queue(a, owned(s.permits(4, 5), "waiter"))
	w2 := s.queue(b, owned(s.permits(1, 5), "last waiter"))
	state := s.inspect(s.name)
	if state.Resource != g1.Resource || state.Token < g2.Token {
		s.Errorf("Inspect = %+v; want the resource %+v and the token %d or more", state, g1.Resource, g2.Token)
	}
	if len(state.Holders) != 2 || len(state.Waiters) != 2 {
		s.Fatalf("Inspect = %+v; want 2 holders and 2 waiters", state)
	}
	for i, want := range []struct {
		g     backends.Grant
		label string
	}{{g1, "first"}, {g2, "second, label"}} {
		h := state.Holders[i]
		if h.ID != want.g.ID || h.Token != want.g.Token || h.Weight != want.g.Weight ||
			h.Owner != owned(backends.Request{}, want.label).Owner {
			s.Errorf("holder %d is %+v; want %+v, %s", i, h, want.g, want.label)
		}
		s.checkSince(h.Since, start)
		if (h.Expires != 0) != s.caps.Expiry || h.Expires < 0 || h.Expires > 2*long {
			s.Errorf("holder %d expires in %v; grants expire here: %v", i, h.Expires, s.caps.Expiry)
		}
	}
	for i, want := range []struct {
		weight int64
		label  string
	}{{4, "waiter"}, {1, "last waiter"}} {
		w := state.Waiters[i]
		if w.Weight != want.weight || w.Owner != owned(backends.Request{}, want.label).Owner || w.ID == (backends.GrantID{}) {
			s.Errorf("waiter %d is %+v; want weight %d, %s", i, w, want.weight, want.label)
		}
		s.checkSince(w.Since, start)
	}
	first := state.Waiters[0].ID
	s.release(b, g1)
	s.release(a, g2)
	g := w1.granted()
	if g.ID != first {
		s.Errorf("the waiter %v became the holder %v; want the same id", first, g.ID)
	}
	s.release(b, w2.granted())
	s.release(a, g)
}

// checkSince allows the store's clock to be another than ours.
func (s *session) checkSince(since, start time.Time) {
	s.Helper()
	if d := since.Sub(start); d < -time.Minute || d > s.env.Patience+time.Minute {
		s.Errorf("Since is %v; the clause began at %v", since, start)
	}
}

func inspectUnused(s *session) {
	check := func(name string) {
		s.Helper()
		state := s.inspect(name)
		if state.Resource.Kind != 0 || len(state.Holders) != 0 || len(state.Waiters) != 0 {
			s.Errorf("Inspect(%q) = %+v; want a state without use", name, state)
		}
	}
	check(s.name)
	s.release(s.b, s.acquire(s.b, s.mutex()))
	s.unused(s.name)
	check(s.name)
}

func listInUse(s *session) {
	b := s.open()
	want := make(map[string]bool)
	var held []backends.Grant
	for i := range 20 {
		r := s.writer()
		r.Name = fmt.Sprintf("%s/%d", s.name, i)
		want[r.Name] = true
		held = append(held, s.acquire([]backends.Backend{s.b, b}[i%2], r))
	}
	waiting := s.writer()
	waiting.Name = held[0].Resource.Name
	w := s.queue(b, waiting)
	for state, err := range s.b.List(s.ctx) {
		if err != nil {
			s.Fatalf("List: %v", err)
		}
		name := state.Resource.Name
		if !want[name] {
			s.Errorf("List yields %q, which is not in use or was yielded before", name)
		}
		delete(want, name)
		waiters := 0
		if name == waiting.Name {
			waiters = 1
		}
		if len(state.Holders) != 1 || len(state.Waiters) != waiters || state.Resource.Kind != backends.ReadWrite {
			s.Errorf("List yields %+v; want one holder and %d waiters", state, waiters)
		}
	}
	for name := range want {
		s.Errorf("List does not yield %q", name)
	}
	for i, g := range held {
		s.release([]backends.Backend{s.b, b}[i%2], g)
	}
	s.release(b, w.granted())
}

func listEndsEarly(s *session) {
	var held []backends.Grant
	for i := range 5 {
		r := s.mutex()
		r.Name = fmt.Sprintf("%s/%d", s.name, i)
		held = append(held, s.acquire(s.b, r))
	}
	for state, err := range s.b.List(s.ctx) {
		if err != nil {
			s.Fatalf("List: %v", err)
		}
		s.inspect(state.Resource.Name)
		break
	}
	for range s.b.List(s.ctx) {
		for _, g := range held {
			s.release(s.b, g)
		}
		break
	}
	s.listsNothing(s.b)
}

func nothingLeft(s *session) {
	b := s.open()
	for i := range s.env.Rounds {
		for j, r := range []backends.Request{s.mutex(), s.reader(), s.writer(), s.permits(1, 7)} {
			r.Name = fmt.Sprintf("%s/%d/%d", s.name, i, j)
			s.release(b, s.try(b, r))
		}
	}
	s.listsNothing(s.b)
}

// listsNothing waits until the store has forgotten all names.
func (s *session) listsNothing(b backends.Backend) {
	s.Helper()
	for {
		var left []backends.State
		for state, err := range b.List(s.ctx) {
			if err != nil {
				s.Fatalf("List: %v; seen so far: %+v", err, left)
			}
			left = append(left, state)
		}
		if len(left) == 0 {
			return
		}
		if s.ctx.Err() != nil {
			s.Fatalf("List still yields %+v", left)
		}
	}
}
