package actor

import (
	"sync"
	"testing"
)

// lender is a tally whose wakers lend their own goroutine when they can.
type lender struct{ tally }

func (c *lender) knock() {
	c.asked.Add(1)
	if !c.Enter() {
		c.Wake(c)
		return
	}
	c.Turn()
	if c.Again() {
		c.Turn()
	}
	c.Leave(c)
}

func TestALentTurnLosesNoWakeAndOverlapsNoOther(t *testing.T) {
	const wakers, each = 4, 50_000
	c := &lender{tally{want: wakers * each, all: make(chan struct{})}}
	var wg sync.WaitGroup
	for range wakers {
		wg.Go(func() {
			for range each {
				c.knock()
			}
		})
	}
	wg.Wait()
	<-c.all // hangs if the last knock was lost; the race detector sees turns that overlap
}

func TestEnterFailsWhileATurnIsTaken(t *testing.T) {
	var c tally
	if !c.Enter() {
		t.Fatal("an actor at rest could not be entered")
	}
	if c.Enter() {
		t.Fatal("two goroutines have the turn")
	}
	if c.Again() {
		t.Fatal("another turn, though nobody called Wake")
	}
	c.state.Store(woken)
	if !c.Again() {
		t.Fatal("Wake was called, but there is no other turn")
	}
	c.Leave(&c)
	if !c.Enter() {
		t.Fatal("the turn was not given back")
	}
}
