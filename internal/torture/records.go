//go:build linux

package torture

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/history"
)

// address returns the store's own address.
func (d *director) address() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.door
}

// moved says that the store may have another address now.
func (d *director) moved(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.door = address
}

// observe looks again and again into the store, past the links that faults break, and logs how long
// it keeps the grants of the names that are held for long.
func (d *director) observe(ctx context.Context) {
	var b backends.Backend
	var address string
	leave := func() {
		if b != nil {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_ = b.Close(ctx) // it holds nothing
			b = nil
		}
	}
	defer leave()
	for {
		if now := d.address(); b == nil || now != address {
			leave()
			address = now
			b, _ = d.store.Open(d.Config, address) // else the next time
		}
		if b != nil {
			if !b.Capabilities().Expiry {
				return
			}
			for _, r := range longs {
				d.record(ctx, b, r.name)
			}
		}
		if d.pause(ctx, d.TTL/16) != nil {
			return
		}
	}
}

// record logs how long the store keeps the grants of a name. A store that does not answer is asked
// again later.
func (d *director) record(ctx context.Context, b backends.Backend, name string) {
	ctx, cancel := context.WithTimeout(ctx, d.TTL)
	defer cancel()
	from := history.Now()
	state, err := b.Inspect(ctx, name)
	at := history.Now() // the store has answered before: the end of the record is no later than it seems
	if err != nil {
		return
	}
	for _, h := range state.Holders {
		if h.Expires > 0 && !h.Detached {
			d.log.add(event{Kind: kept, At: at, Name: name, Token: h.Token, From: from, Until: at + int64(h.Expires), Text: h.Owner.Label})
		}
	}
}

// look is what a holder has seen of its lease.
type look struct{ at, until int64 }

// belief returns until when the holder believed, at that time, that its lease is valid; 0 if it is not
// known.
func (h *hold) belief(at int64) int64 {
	i, _ := slices.BinarySearchFunc(h.looks, at+1, func(l look, at int64) int { return cmp.Compare(l.at, at) })
	if i == 0 {
		return 0
	}
	return h.looks[i-1].until
}

// checkValidity compares what holders believe with the record of the store. A belief from before the
// store was asked rests on an answer that the store had given by then, and an end never comes nearer
// while a lease is held, so the record must reach at least as far: else another holder may be granted
// the name while this one relies on it, whether or not that happened.
func checkValidity(r *round, v *Verdict) {
	forgetful, holds := r.caused(func(f Fault) bool { return f.Outside || f.Behind }), r.byName()
	for _, e := range r.events {
		if e.Kind != kept || slices.ContainsFunc(forgetful, func(f event) bool { return f.At <= e.At && e.From <= f.Until+int64(r.TTL) }) {
			continue
		}
		for _, h := range holds[e.Name] {
			if h.Process != e.Text || h.to <= e.At {
				continue
			}
			until := h.belief(e.From)
			if until == 0 {
				continue
			}
			v.Figures["validity"]++
			left := time.Duration(e.Until - until)
			v.margin(marginRecord, left)
			if left < 0 {
				v.violation("validity", append(r.show(h), e), "%s relies on %q for %v longer than the store keeps its grant", h.Process, h.Name, -left)
			}
		}
	}
}
