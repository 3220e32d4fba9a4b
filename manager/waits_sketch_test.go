package manager

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// sketch is a manager of which only the queues and waits are real.
type sketch struct {
	t      *testing.T
	rnd    *rand.Rand
	seed   uint64
	eager  bool // what can be granted is
	m      *Manager
	ws     *waits
	g      *refGraph
	ks     []*keeper
	grants []*request
	leases map[*request][]*lease
	waits  []*sketchWait
	denied []*request // their keepers do not know yet
	told   int
	others int // refused although they were not the last
}

type sketchWait struct {
	ref     *refWait
	rs      []*request
	several *several
	outer   *lease
	wait    *wait // nil: not registered
	crowded bool
}

func newSketch(t *testing.T, seed uint64) *sketch {
	rnd := rand.New(rand.NewPCG(seed, 6))
	x := &sketch{
		t: t, rnd: rnd, seed: seed, eager: rnd.IntN(3) > 0,
		m: &Manager{}, ws: newWaits(), g: newRefGraph(), leases: map[*request][]*lease{},
	}
	for i := range 4 {
		k := &keeper{m: x.m, name: fmt.Sprint(i), cap: 1 + rnd.Int64N(4)}
		x.ks = append(x.ks, k)
		for free := k.cap; free > 0 && rnd.IntN(4) > 0; {
			r := x.request(k, 1+rnd.Int64N(free))
			free -= r.weight
			x.hold(r)
		}
	}
	return x
}

func (x *sketch) request(k *keeper, weight int64) *request {
	k.uses++
	r := &request{k: k, cap: k.cap, weight: weight, number: k.uses}
	r.req = r
	return r
}

func (x *sketch) hold(r *request) {
	r.k.holders.push(r, holding)
	x.grants = append(x.grants, r)
	x.g.hold(r)
}

func (x *sketch) step() {
	if x.rnd.IntN(2) == 0 {
		for _, r := range x.denied {
			r.k.queue.remove(r)
		}
		x.denied = nil
	}
	w := x.begin()
	if w.several != nil && x.rnd.IntN(2) == 0 { // a single one comes between the parts
		for i := range w.rs {
			x.queue(w, i)
			if i == 0 {
				v := x.single()
				x.queue(v, 0)
				x.register(v)
			}
		}
	} else {
		for i := range w.rs {
			x.queue(w, i)
		}
	}
	x.register(w)
	if len(x.waits) > 0 && x.rnd.IntN(4) == 0 {
		x.cancel(x.waits[x.rnd.IntN(len(x.waits))])
	}
	if len(x.grants) > 0 && x.rnd.IntN(4) == 0 {
		x.release(x.rnd.IntN(len(x.grants)))
	}
	if x.eager {
		x.settle()
	}
}

// begin makes a request for one name or for several.
func (x *sketch) begin() *sketchWait {
	if x.rnd.IntN(2) == 0 {
		return x.single()
	}
	w := &sketchWait{ref: &refWait{several: true}, several: &several{m: x.m}}
	n := 1 + x.rnd.IntN(3)
	w.several.parts = make([]request, n)
	for i, j := range x.rnd.Perm(len(x.ks))[:n] {
		r := &w.several.parts[i]
		k := x.ks[j]
		r.k, r.cap, r.weight, r.several, r.index, r.req = k, k.cap, 1+x.rnd.Int64N(k.cap), w.several, i, r
		w.rs = append(w.rs, r)
	}
	x.own(w)
	w.several.outer = w.outer
	return w
}

func (x *sketch) single() *sketchWait {
	k := x.ks[x.rnd.IntN(len(x.ks))]
	r := &request{k: k, cap: k.cap, weight: 1 + x.rnd.Int64N(k.cap)}
	r.req = r
	w := &sketchWait{ref: &refWait{}, rs: []*request{r}}
	x.own(w)
	r.outer = w.outer
	return w
}

// own gives the request an owner, in most cases.
func (x *sketch) own(w *sketchWait) {
	if len(x.grants) > 0 && x.rnd.IntN(4) > 0 {
		for range 1 + x.rnd.IntN(3) {
			g := x.grants[x.rnd.IntN(len(x.grants))]
			w.outer = &lease{req: g, outer: w.outer}
			x.leases[g] = append(x.leases[g], w.outer)
		}
	}
	w.ref.keeps = owned(w.outer)
}

// queue puts a part into its queue, as its keeper would.
func (x *sketch) queue(w *sketchWait, i int) {
	r := w.rs[i]
	k := r.k
	k.uses++
	r.number = k.uses
	crowded := k.holders.n > 0 || k.queue.n > 0
	w.crowded = w.crowded || crowded
	k.queue.push(r, queued)
	if crowded && (w.several != nil || w.outer != nil) {
		for _, q := range k.heavierBefore(r) {
			u := q.newWait(plain)
			q.lease.wait.Store(u)
			x.ws.add(u)
			for _, o := range x.waits {
				if o.rs[0] == q {
					o.wait = u
				}
			}
		}
	}
}

// register registers the request, if it must be, and compares what the examination says.
func (x *sketch) register(w *sketchWait) {
	x.g.add(w.ref, w.rs...)
	x.waits = append(x.waits, w)
	if !w.crowded || w.several == nil && w.outer == nil {
		return
	}
	if w.several != nil {
		w.wait = w.several.newWait()
	} else {
		w.wait = w.rs[0].newWait(w.rs[0].weight)
		w.rs[0].lease.wait.Store(w.wait)
	}
	x.ws.add(w.wait)
	for x.refuse(w) {
	}
}

// refuse refuses a request if the examination of the new one says so, and reports whether to examine
// that again.
func (x *sketch) refuse(last *sketchWait) bool {
	victim, cycle := x.ws.examine(last.wait)
	if (victim == nil) != x.g.canEnd(last.ref) {
		x.t.Fatalf("seed %d: got cycle %q", x.seed, cycle)
	}
	if victim == nil {
		return false
	}
	x.told++
	i := slices.IndexFunc(x.waits, func(w *sketchWait) bool { return w.wait == victim })
	w := x.waits[i]
	x.checkCycle(w, cycle)
	if w != last {
		x.others++
	}
	if len(w.ref.keeps) == 0 {
		x.t.Fatalf("seed %d: a request was refused whose owner holds nothing", x.seed)
	}
	x.ws.remove(w.wait)
	for _, r := range w.rs {
		x.g.remove(r)
		if r.place == queued {
			x.denied = append(x.denied, r)
		} else {
			r.k.holders.remove(r)
		}
	}
	x.drop(w)
	return w != last
}

// checkCycle checks what the cycle says: the request waits for the first name, a holder of each or
// another request before it waits for the next, and the owner of the request has the last.
func (x *sketch) checkCycle(w *sketchWait, cycle []string) {
	waitsFor := func(w *sketchWait, name string) bool {
		return slices.ContainsFunc(w.rs, func(r *request) bool { return r.k.name == name && r.place == queued })
	}
	has := func(w *sketchWait, name string) bool {
		return slices.ContainsFunc(w.ref.keeps, func(g *request) bool { return g.k.name == name }) ||
			w.several != nil && slices.ContainsFunc(w.rs, func(r *request) bool { return r.k.name == name })
	}
	if !waitsFor(w, cycle[0]) || !has(w, cycle[len(cycle)-1]) {
		x.t.Fatalf("seed %d: the request is not in the cycle %q", x.seed, cycle)
	}
	for i := range cycle[1:] {
		if !slices.ContainsFunc(x.waits, func(o *sketchWait) bool { return has(o, cycle[i]) && waitsFor(o, cycle[i+1]) }) {
			x.t.Fatalf("seed %d: nobody who has %s waits for %s", x.seed, cycle[i], cycle[i+1])
		}
	}
}

func (x *sketch) drop(w *sketchWait) {
	x.waits = slices.DeleteFunc(x.waits, func(o *sketchWait) bool { return o == w })
}

// cancel ends a wait. Its goroutine may say so later, or never here.
func (x *sketch) cancel(w *sketchWait) {
	state := &w.rs[0].state
	if w.several != nil {
		state = &w.several.state
	}
	state.Store(cancelled)
	for _, r := range w.rs {
		if r.place == queued {
			r.k.queue.remove(r)
		} else {
			r.k.holders.remove(r)
		}
		x.g.remove(r)
	}
	x.forget(w)
	x.drop(w)
}

func (x *sketch) forget(w *sketchWait) {
	if w.wait != nil && x.rnd.IntN(2) == 0 {
		x.ws.remove(w.wait)
	}
}

func (x *sketch) release(i int) {
	r := x.grants[i]
	for _, l := range x.leases[r] {
		l.end.Store(wasReleased)
	}
	r.k.holders.remove(r)
	x.g.remove(r)
	x.grants = slices.Delete(x.grants, i, i+1)
}

// settle grants what can be granted now.
func (x *sketch) settle() {
	x.g.state = x.g.settle(x.g.state)
	for _, w := range slices.Clone(x.waits) {
		for _, it := range w.ref.items {
			if it.place == queued && x.g.state.queued&it.bit == 0 {
				it.k.queue.remove(it.request)
				it.k.holders.push(it.request, holding)
			}
		}
		if w.ref.waitsIn(x.g.state) {
			continue
		}
		for _, it := range w.ref.items {
			it.wait = nil // the grant of a lease from now on
			it.request.state.Store(accepted)
			x.grants = append(x.grants, it.request)
		}
		if w.several != nil {
			w.several.state.Store(accepted)
		}
		x.forget(w)
		x.drop(w)
	}
}
