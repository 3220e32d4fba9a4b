package primitives

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
)

// A reference is a semaphore as anybody would write it who has neither goroutines nor haste.
type reference struct {
	size, held int64
	queue      []request
}

type request struct {
	id int
	n  int64
}

// serve grants the front of the queue for as long as it fits (nothing always does), and
// returns whom.
func (r *reference) serve() (ids []int) {
	for len(r.queue) > 0 && (r.queue[0].n == 0 || r.held+r.queue[0].n <= r.size) {
		r.held += r.queue[0].n
		ids = append(ids, r.queue[0].id)
		r.queue = r.queue[1:]
	}
	return ids
}

// A script runs random calls against a Semaphore and the reference, one after the other, and
// compares after each who has been granted what.
type script struct {
	*testing.T
	rand *rand.Rand
	real *Semaphore
	ref  reference

	ids     int
	holding map[int]int64              // by id
	cancels map[int]context.CancelFunc // of those waiting
	results chan outcome
	log     []string
}

type outcome struct {
	id  int
	err error
}

func TestRandomCallsAgreeWithTheReference(t *testing.T) {
	for seed := range uint64(max(rounds(300), 20)) {
		runScript(t, rand.NewPCG(seed, 1), func(calls int) bool { return calls < 200 })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// FuzzSequences has the bytes make the choices that chance makes in the test above.
func FuzzSequences(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("any bytes are a sequence of calls"))
	f.Add([]byte{7, 1, 1, 1, 1, 1, 2, 9, 9, 13, 0, 14, 1, 17, 0, 18, 3, 19, 2, 1, 200, 11, 3})
	f.Fuzz(func(t *testing.T, choices []byte) {
		chosen := (*bytesSource)(&choices)
		runScript(t, chosen, func(calls int) bool { return calls < 200 && len(*chosen) > 0 })
	})
}

// bytesSource makes a random number of each byte. It has no end.
type bytesSource []byte

func (b *bytesSource) Uint64() uint64 {
	next := byte(0)
	if len(*b) > 0 {
		next, *b = (*b)[0], (*b)[1:]
	}
	return (uint64(next) + 1) * 0x9e3779b97f4a7c15 // all bits differ from byte to byte
}

func runScript(t *testing.T, source rand.Source, more func(calls int) bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &script{
			T: t, rand: rand.New(source),
			holding: map[int]int64{}, cancels: map[int]context.CancelFunc{},
			results: make(chan outcome, 1000),
		}
		s.ref.size = s.rand.Int64N(9) + 1
		s.real = NewSemaphore(s.ref.size)
		for calls := 0; more(calls); calls++ {
			s.step()
			if t.Failed() {
				t.Fatalf("after %v", s.log)
			}
		}
		s.finish()
	})
}

func (s *script) step() {
	switch p := s.rand.IntN(20); {
	case p < 8:
		s.acquire(s.rand.Int64N(s.ref.size + 2))
	case p < 11:
		s.try(s.rand.Int64N(s.ref.size + 1))
	case p < 16:
		s.release()
	case p < 19:
		s.cancel()
	default:
		s.resize(s.rand.Int64N(9) + 1)
	}
}

func (s *script) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

// expect compares what came of the real calls since the last time with what should have.
func (s *script) expect(granted []int, failed map[int]error) {
	synctest.Wait()
	var got []int
	for len(s.results) > 0 {
		r := <-s.results
		if r.err == nil {
			got = append(got, r.id)
		} else if failed[r.id] != r.err {
			s.Errorf("%d failed with %v, want %v", r.id, r.err, failed[r.id])
		}
		delete(failed, r.id)
		delete(s.cancels, r.id)
	}
	slices.Sort(got)
	slices.Sort(granted)
	if !slices.Equal(got, granted) {
		s.Errorf("granted %v, want %v", got, granted)
	}
	if len(failed) != 0 {
		s.Errorf("not failed: %v", failed)
	}
	if n := queueLength(&s.real.gate); n != len(s.ref.queue) {
		s.Errorf("%d are queued, want %d", n, len(s.ref.queue))
	}
}

func (s *script) acquire(n int64) {
	s.ids++
	id := s.ids
	s.note("%d: acquire %d", id, n)
	ctx, cancel := context.WithCancel(s.Context())
	s.cancels[id] = cancel
	go func() { s.results <- outcome{id, s.real.Acquire(ctx, n)} }()
	if n > s.ref.size {
		s.expect(nil, map[int]error{id: ErrTooLarge})
		return
	}
	if n == 0 && len(s.ref.queue) == 0 { // takes nothing, so it fits even when shrunk
		s.holding[id] = 0
		s.expect([]int{id}, nil)
		return
	}
	s.ref.queue = append(s.ref.queue, request{id, n})
	s.serve(nil)
}

// serve has the reference grant what it can, and expects the same.
func (s *script) serve(failed map[int]error) {
	queue := s.ref.queue
	granted := s.ref.serve()
	for _, r := range queue[:len(granted)] {
		s.holding[r.id] = r.n
	}
	s.expect(granted, failed)
}

func (s *script) try(n int64) {
	want := len(s.ref.queue) == 0 && (n == 0 || s.ref.held+n <= s.ref.size)
	s.note("try %d", n)
	if got := s.real.TryAcquire(n); got != want {
		s.Errorf("TryAcquire(%d) = %v, want %v", n, got, want)
	}
	if want {
		s.ids++
		s.holding[s.ids] = n
		s.ref.held += n
	}
	s.expect(nil, nil)
}

// pick returns a random id of those in m, or 0.
func pick[V any](s *script, m map[int]V) int {
	ids := make([]int, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return 0
	}
	slices.Sort(ids)
	return ids[s.rand.IntN(len(ids))]
}

func (s *script) release() {
	id := pick(s, s.holding)
	if id == 0 {
		return
	}
	n := s.holding[id]
	s.note("%d: release %d", id, n)
	delete(s.holding, id)
	s.ref.held -= n
	s.real.Release(n)
	s.serve(nil)
}

func (s *script) cancel() {
	id := pick(s, s.cancels)
	if id == 0 {
		return
	}
	s.note("%d: cancel", id)
	s.cancels[id]()
	s.ref.queue = slices.DeleteFunc(slices.Clone(s.ref.queue), func(r request) bool { return r.id == id })
	s.serve(map[int]error{id: context.Canceled})
}

func (s *script) resize(n int64) {
	s.note("resize %d", n)
	s.ref.size = n
	failed := map[int]error{}
	s.ref.queue = slices.DeleteFunc(slices.Clone(s.ref.queue), func(r request) bool {
		if r.n > n {
			failed[r.id] = ErrTooLarge
		}
		return r.n > n
	})
	s.real.Resize(n)
	s.serve(failed)
}

// finish ends all that is left.
func (s *script) finish() {
	for len(s.cancels) > 0 {
		s.cancel()
	}
	for len(s.holding) > 0 {
		s.release()
	}
	atRest(s.T, &s.real.gate)
}
