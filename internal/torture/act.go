//go:build linux

package torture

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/manager"
)

// act is one acquire and what follows.
type act struct {
	claim   manager.Claim
	parts   []share
	options []manager.AcquireOption
	try     bool
	giveUp  time.Duration // 0: only at the end
	hold    time.Duration
	least   time.Duration
	rest    time.Duration  // after it
	blind   bool           // does not look whether it still holds
	detach  bool           // the lease goes to another process at its end
	ticket  manager.Ticket // of a lease that was detached: it is adopted

	run func(a *act) error

	id    int64
	asked int64
}

// share is what is claimed of one name.
type share struct {
	resource
	weight int64
}

func (a *act) part(name string) share {
	return a.parts[slices.IndexFunc(a.parts, func(p share) bool { return p.name == name })]
}

// choose makes up an act. The first goroutines of each process hold for long, the others do not.
func (w *worker) choose(r *rand.Rand, g int) *act {
	a := &act{
		rest:   time.Duration(r.ExpFloat64() * float64(8*time.Millisecond)),
		hold:   time.Duration(r.ExpFloat64() * float64(2*time.Millisecond)),
		blind:  r.IntN(20) == 0,
		try:    r.IntN(8) == 0,
		giveUp: w.giveUp(r),
		run:    w.use,
	}
	switch n := r.IntN(100); {
	case g < len(longs) && n < 70:
		w.take(a, share{longs[g], 1})
		a.hold = time.Duration((0.2 + 3*r.Float64()) * float64(w.TTL))
		a.blind = r.IntN(2) == 0
	case n < 32:
		w.take(a, share{mutexes[r.IntN(len(mutexes))], 1})
	case n < 44:
		w.take(a, share{shared, 1})
		a.hold *= 4
	case n < 52:
		w.take(a, share{shared, shared.capacity})
	case n < 66:
		w.take(a, share{permits, 1 + r.Int64N(permits.capacity)})
		a.hold *= 4
	case n < 76:
		w.take(a, w.several(r)...)
	case n < 80:
		w.take(a, share{hourly, 1})
		a.least = time.Duration(20+r.IntN(200)) * time.Millisecond
		a.options = append(a.options, manager.HoldAtLeast(a.least))
	case n < 83 && w.detaches:
		w.take(a, share{baton, 1})
		a.detach = true
	case n < 86 && w.detaches:
		w.take(a, share{baton, 1})
		a.run, a.try = w.adopt, false
	case n < 89:
		w.take(a, share{leader, 1})
		a.run, a.try = w.lead, false
	default:
		w.take(a, share{w.window(), 1})
		a.giveUp = 0
	}
	return a
}

// giveUp returns after what time a request is given up: mostly never, sometimes soon.
func (w *worker) giveUp(r *rand.Rand) time.Duration {
	switch r.IntN(10) {
	case 0:
		return time.Duration(1 + r.Int64N(int64(3*time.Millisecond)))
	case 1:
		return time.Duration(r.Float64() * float64(w.TTL))
	default:
		return 0
	}
}

// window is the name of which all calls of the moment are checked. A manager that keeps names idle
// answers a try as the name's holder does, and keeps away.
func (w *worker) window() resource {
	if w.idle() > 0 {
		return mutexes[0]
	}
	i := int(time.Duration(history.Now()-w.Start) / window)
	return windowed(min(max(i, 0), w.windows()-1))
}

// several makes up the parts of a request for two or three names.
func (w *worker) several(r *rand.Rand) []share {
	all := []share{{shared, 1}, {permits, 1 + r.Int64N(2)}}
	if r.IntN(2) == 0 {
		all[0].weight = shared.capacity
	}
	for _, m := range mutexes {
		all = append(all, share{m, 1})
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:2+r.IntN(2)]
}

// take makes the claim.
func (w *worker) take(a *act, parts ...share) {
	var claims []manager.Claim
	for _, p := range parts {
		switch {
		case p.kind == backends.Mutex:
			claims = append(claims, w.manager.Lock(p.name))
		case p.kind == backends.Semaphore:
			claims = append(claims, w.manager.Semaphore(p.name, p.capacity).Permits(p.weight))
		case p.weight == p.capacity:
			claims = append(claims, w.manager.RWLock(p.name).Write())
		default:
			claims = append(claims, w.manager.RWLock(p.name).Read())
		}
	}
	a.parts = parts
	a.claim = claims[0]
	if len(claims) > 1 {
		a.claim = w.manager.All(claims...)
	}
}
