package actor

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// tally counts wake-ups that its turns have seen.
type tally struct {
	Activity
	asked atomic.Int64
	seen  int64 // plain: turns must not overlap
	want  int64
	all   chan struct{}
}

func (c *tally) Turn() {
	if c.seen = c.asked.Load(); c.seen == c.want {
		select {
		case <-c.all:
		default:
			close(c.all)
		}
	}
}

func TestEveryWakeIsFollowedByATurn(t *testing.T) {
	const wakers, each = 4, 50_000
	c := &tally{want: wakers * each, all: make(chan struct{})}
	var wg sync.WaitGroup
	for range wakers {
		wg.Go(func() {
			for i := range each {
				c.asked.Add(1)
				c.Wake(c)
				if i%16 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	wg.Wait()
	<-c.all // hangs if the last wake-up was lost
}

// exiter ends its goroutine in every turn.
type exiter struct {
	Activity
	left int
	done chan struct{}
}

func (e *exiter) Turn() {
	if e.left--; e.left == 0 {
		close(e.done)
		return
	}
	e.Wake(e)
	runtime.Goexit()
}

func TestGoexitInATurnDoesNotEndTheActivity(t *testing.T) {
	e := &exiter{left: 10, done: make(chan struct{})}
	e.Wake(e)
	<-e.done
}

// slow says when each of its turns begins, and ends it when told to.
type slow struct {
	Activity
	began, end chan struct{}
}

func (s *slow) Turn() {
	s.began <- struct{}{}
	<-s.end
}

func TestAWakeDuringATurnIsFollowedByAnother(t *testing.T) {
	s := &slow{began: make(chan struct{}), end: make(chan struct{})}
	s.Wake(s)
	<-s.began
	s.Wake(s)
	s.Wake(s) // one turn answers both
	s.end <- struct{}{}
	<-s.began
	s.end <- struct{}{}
	for !s.Enter() { // at rest again: no third turn
		select {
		case <-s.began:
			t.Fatal("a turn that nobody asked for")
		default:
			runtime.Gosched()
		}
	}
	s.Leave(s)
}
