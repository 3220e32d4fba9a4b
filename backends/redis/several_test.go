package redis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// several is an operation with what its callbacks were told.
type several struct {
	bed      *bed
	c        *redis.Backend
	op       *backends.Op
	granted  []chan answer
	released []chan error
}

type answer struct {
	grant backends.Grant
	err   error
}

// several makes an operation; each callback may be told once, for its channel has room for one.
func (b *bed) several(c *redis.Backend, wait bool, release []backends.Grant, names ...string) *several {
	o := &several{bed: b, c: c}
	o.op = &backends.Op{
		Release: release, Wait: wait,
		Released: func(i int, err error) { o.released[i] <- err },
		Granted:  func(i int, g backends.Grant, err error) { o.granted[i] <- answer{g, err} },
	}
	for _, name := range names {
		o.op.Acquire = append(o.op.Acquire, mutex(name, time.Minute))
		o.granted = append(o.granted, make(chan answer, 1))
	}
	for range release {
		o.released = append(o.released, make(chan error, 1))
	}
	return o
}

// start starts the operation and does its work.
func (o *several) start() *several {
	if work := o.c.Start(o.op); work != nil {
		work(o.bed.ctx)
	}
	return o
}

func (o *several) cancel() {
	if work := o.c.Cancel(o.op); work != nil {
		work(o.bed.ctx)
	}
}

func (o *several) answer(i int) answer {
	o.bed.Helper()
	select {
	case a := <-o.granted[i]:
		return a
	case <-o.bed.ctx.Done():
		o.bed.Fatalf("request %d was not answered", i)
	}
	return answer{}
}

// grants returns what was granted; all must be.
func (o *several) grants() (gs []backends.Grant) {
	o.bed.Helper()
	for i := range o.granted {
		a := o.answer(i)
		if a.err != nil {
			o.bed.Fatalf("request %d: %v", i, a.err)
		}
		gs = append(gs, a.grant)
	}
	return gs
}

// failed checks that every request failed with want, but those that were granted before, which it releases.
func (o *several) failed(want error) {
	o.bed.Helper()
	for i := range o.granted {
		switch a := o.answer(i); {
		case a.err == nil:
			o.bed.release(o.c, a.grant)
		case !errors.Is(a.err, want):
			o.bed.Errorf("request %d: %v, want %v", i, a.err, want)
		}
	}
}

func (o *several) allReleased() {
	o.bed.Helper()
	for i := range o.released {
		select {
		case err := <-o.released[i]:
			if err != nil {
				o.bed.Errorf("release %d: %v", i, err)
			}
		case <-o.bed.ctx.Done():
			o.bed.Fatalf("release %d was not answered", i)
		}
	}
}

// empty checks that nothing is left of the names, soon: what is given back may still be on its way.
func (b *bed) empty(c *redis.Backend, names ...string) {
	b.Helper()
	for _, name := range names {
		b.until(fmt.Sprintf("%q is not used", name), func() bool {
			s := b.inspect(c, name)
			return len(s.Holders)+len(s.Waiters) == 0
		})
	}
}

func TestTenNamesTakeTwoCommands(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := b.open()
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprint("n", i))
	}
	warm := b.several(c, true, nil, names...).start().grants() // the server knows the script, and the names
	b.several(c, true, warm).start().allReleased()
	b.server.ResetCalls(t)
	gs := b.several(c, true, nil, names...).start().grants()
	b.several(c, true, gs).start().allReleased()
	if calls := b.server.Calls(t); calls["evalsha"]+calls["eval"] != 2 {
		t.Errorf("ten names took %v, want two scripts", calls)
	}
	b.empty(c, names...)
}

// The first copy of the command has done its work and its answer is lost.
func TestRepeatedOperationOverSeveralNamesDoesItOnce(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	for round := range 3 { // the names are free; one is held; all are, by releases in the same operation
		var held, after []backends.Grant
		switch round {
		case 1:
			held = append(held, b.acquire(other, mutex("y", time.Minute)))
		case 2:
			after = b.several(c, true, nil, "x", "y", "z").start().grants()
		}
		p.Judge(once("evalsha", dropReply))
		o := b.several(c, true, after, "x", "y", "z").start()
		o.allReleased()
		for _, g := range held {
			if s := b.inspect(other, "y"); len(s.Waiters) != 1 {
				t.Errorf("round %d: the queue is %+v", round, s.Waiters)
			}
			b.release(other, g)
		}
		gs := o.grants()
		for _, g := range gs {
			if s := b.inspect(other, g.Resource.Name); len(s.Holders) != 1 || s.Holders[0].Token != g.Token || len(s.Waiters) != 0 {
				t.Errorf("round %d: granted %+v, the server has %+v", round, g, s)
			}
		}
		b.several(c, true, gs).start().allReleased()
		b.empty(other, "x", "y", "z")
	}
}

// An operation is cancelled before its work, while its command is on its way, and while it stands in
// a queue with another name granted.
func TestOperationIsCancelledAtEachStep(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	c.Await()
	b.several(c, true, b.several(c, true, nil, "x", "y").start().grants()).start().allReleased()

	o := b.several(c, true, nil, "x", "y")
	work := c.Start(o.op)
	o.cancel()
	o.failed(context.Canceled)
	b.server.ResetCalls(t)
	work(b.ctx)
	if n := b.server.Calls(t)["evalsha"]; n != 0 {
		t.Errorf("the work of a cancelled operation sent %d commands", n)
	}

	late, arrived := make(chan struct{}), make(chan struct{})
	p.Judge(once("evalsha", func() redistest.Verdict {
		close(arrived)
		<-late
		return redistest.Pass
	}))
	done := make(chan struct{})
	o = b.several(c, true, nil, "x", "y")
	work = c.Start(o.op)
	go func() { defer close(done); work(b.ctx) }()
	<-arrived
	o.cancel()
	o.failed(context.Canceled)
	close(late)
	<-done
	b.empty(other, "x", "y")

	g := b.acquire(other, mutex("y", time.Minute))
	o = b.several(c, true, nil, "x", "y").start()
	if a := o.answer(0); a.err != nil {
		t.Fatal(a.err)
	} else {
		o.granted[0] <- a
	}
	o.cancel()
	o.failed(context.Canceled) // and releases x
	b.empty(other, "x")
	b.release(other, g)
	b.empty(other, "x", "y")
}

// The releases of an operation whose request is cancelled before anything was sent happen all the same.
func TestCancelKeepsNoReleaseFromHappening(t *testing.T) {
	b := newBed(t, server.Get(t))
	c, other := b.open(), b.open()
	gs := b.several(c, true, nil, "x", "y").start().grants()
	o := b.several(c, true, gs, "x", "z")
	work := c.Start(o.op)
	o.cancel()
	work(b.ctx)
	o.allReleased()
	o.failed(context.Canceled)
	b.empty(other, "x", "y", "z")
}

// The server goes away while an operation holds one name and waits for another, and comes back with its data, or without.
func TestOperationOverAnOutage(t *testing.T) {
	for what, args := range map[string][]string{"kept": {"--appendonly", "yes", "--appendfsync", "always"}, "lost": nil} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, redistest.Start(t, args...))
			c, other := b.open(redis.WithHeartbeat(100*time.Millisecond)), b.open()
			g := b.acquire(other, mutex("y", time.Minute))
			o := b.several(c, true, nil, "x", "y").start()
			if a := o.answer(0); a.err != nil {
				t.Fatal(a.err)
			} else {
				o.granted[0] <- a
			}
			b.listening(c)
			b.server.Kill()
			b.server.Restart(t)
			if what == "kept" {
				b.release(other, g)
				b.several(c, true, o.grants()).start().allReleased()
			} else { // its place was lost, and another would not be in one order with x
				<-o.granted[0]
				o.granted[0] <- answer{err: backends.ErrRequeued}
				o.failed(backends.ErrRequeued)
			}
			b.empty(other, "x")
			b.until("y is free", func() bool {
				h, err := backends.TryAcquire(b.ctx, other, mutex("y", time.Minute))
				return err == nil && backends.Release(b.ctx, other, h) == nil
			})
		})
	}
}

// A process that dies while it holds one name and waits for another delays nobody for longer than its time to live.
func TestKilledOperationLeavesNothing(t *testing.T) {
	b := newBed(t, server.Get(t))
	fast := redis.WithHeartbeat(50 * time.Millisecond)
	dead, other := b.open(fast), b.open(fast)
	g := b.acquire(other, mutex("y", time.Minute))
	o := b.several(dead, true, nil, "x", "y")
	for i := range o.op.Acquire {
		o.op.Acquire[i].TTL = 300 * time.Millisecond
	}
	if a := o.start().answer(0); a.err != nil {
		t.Fatal(a.err)
	}
	w := b.queue(other, mutex("x", time.Minute))
	dead.Crash()
	b.release(other, g)
	b.release(other, w.granted())
	b.empty(other, "x", "y")
}

// severalInACluster works on names of all three primaries: they are asked for slot by slot.
func severalInACluster(g *group) {
	a, c := g.open(), g.open()
	names := []string{g.name(2), g.name(0), g.name(1)}
	bySlot := append([]string(nil), names...)
	for i := range bySlot { // three of them
		for j := range i {
			if redis.SlotOf(bySlot[i]) < redis.SlotOf(bySlot[j]) {
				bySlot[i], bySlot[j] = bySlot[j], bySlot[i]
			}
		}
	}
	for _, name := range names {
		if got, want := redis.SlotOf(name), g.Slot(g, g.hash(name)); got != want {
			g.Fatalf("%q is in slot %d, want %d", name, got, want)
		}
	}
	gs := g.several(a, true, nil, names...).start().grants()
	g.several(c, false, nil, names...).start().failed(backends.ErrBusy)
	o := g.several(c, true, nil, names...).start() // stands in the first queue only
	g.until("it waits", func() bool { return len(g.inspect(a, bySlot[0]).Waiters) == 1 })
	if n := len(g.inspect(a, bySlot[1]).Waiters) + len(g.inspect(a, bySlot[2]).Waiters); n != 0 {
		g.Errorf("%d places in slots whose turn it is not", n)
	}
	g.several(a, true, gs).start().allReleased()
	g.several(c, true, o.grants()).start().allReleased()
	g.empty(a, names...)

	last := g.acquire(a, mutex(bySlot[2], time.Minute))
	g.several(c, false, nil, names...).start().failed(backends.ErrBusy)
	g.empty(a, bySlot[0], bySlot[1]) // what it had was released
	o = g.several(c, true, nil, names...).start()
	g.until("it waits for the last", func() bool { return len(g.inspect(a, bySlot[2]).Waiters) == 1 })
	o.cancel()
	o.failed(context.Canceled)
	g.release(a, last)
	g.empty(a, names...)

	// One operation releases in one slot and requests in others.
	h := g.acquire(a, mutex(bySlot[1], time.Minute))
	o = g.several(a, true, []backends.Grant{h}, bySlot[0], bySlot[2]).start()
	o.allReleased()
	g.several(a, true, o.grants(), bySlot[1]).start().grants()
}

// A client of an unknown kind may be one of a cluster.
func TestSeveralNamesWithAnUnknownClient(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := open(t, struct{ goredis.UniversalClient }{b.client}, redis.WithPrefix(b.prefix))
	gs := b.several(c, true, nil, "x", "y", "z").start().grants()
	o := b.several(b.open(), false, nil, "x", "y", "z").start()
	o.failed(backends.ErrBusy)
	b.several(c, true, gs).start().allReleased()
	b.empty(c, "x", "y", "z")
}
