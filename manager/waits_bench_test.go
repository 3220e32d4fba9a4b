package manager

import "testing"

// 4 000 owners each hold permits of one name and wait for another name. One more wait is examined.
func BenchmarkOneEdgeMore(b *testing.B) {
	const owners = 4000
	m, ws := &Manager{}, newWaits()
	site := func(name string, capacity int64) *keeper { return &keeper{m: m, name: name, cap: capacity} }
	part := func(k *keeper, weight int64) request {
		k.uses++
		return request{k: k, cap: k.cap, weight: weight, number: k.uses}
	}
	grant := func(k *keeper, weight int64) *lease {
		r := part(k, weight)
		r.req = &r
		return &r.lease
	}
	one := func(k *keeper, weight int64, outer *lease) *wait {
		r := part(k, weight)
		r.outer = outer
		return r.newWait(weight)
	}
	all, hub, other := site("all", owners), site("hub", 1), site("other", 1)
	for range owners {
		ws.add(one(hub, 1, grant(all, 1)))
	}
	ten := func(outer *lease, with ...*keeper) *wait {
		s := &several{m: m, outer: outer}
		for _, k := range with {
			s.parts = append(s.parts, part(k, 1))
		}
		for len(s.parts) < 10 {
			s.parts = append(s.parts, part(site("more", 1), 1))
		}
		return s.newWait()
	}
	for _, c := range []struct {
		name     string
		last     *wait
		deadlock bool
	}{
		{"by-one-that-nobody-waits-for", one(all, owners, grant(other, 1)), false},
		{"by-one-more-for-the-same", one(hub, 1, grant(all, 1)), false},
		{"by-the-holder-that-all-wait-for", one(other, 1, grant(hub, 1)), false},
		{"by-the-holder-that-all-wait-for-closing-cycles", one(all, owners, grant(hub, 1)), true},
		{"by-ten-parts-behind-all", ten(nil, hub, all), false},
		{"by-ten-parts-of-one-more", ten(grant(all, 1), hub), false},
		{"by-ten-parts-of-the-holder", ten(grant(hub, 1)), false},
		{"by-ten-parts-of-the-holder-closing-cycles", ten(grant(hub, 1), all), true},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				ws.add(c.last)
				if _, cycle := ws.examine(c.last); (cycle != nil) != c.deadlock {
					b.Fatal(cycle)
				}
				ws.remove(c.last)
			}
		})
	}
}
