package manager

import "testing"

// 4 000 owners each hold permits of one name and wait for another name. One more wait is examined.
func BenchmarkOneEdgeMore(b *testing.B) {
	const owners = 4000
	m, ws := &Manager{}, newWaits()
	site := func(name string, capacity int64) *keeper { return &keeper{m: m, name: name, cap: capacity} }
	grant := func(k *keeper, weight int64) *lease {
		r := &request{k: k, cap: k.cap, weight: weight}
		r.req = r
		return &r.lease
	}
	ask := func(k *keeper, weight int64, outer *lease) *wait {
		return &wait{request: &request{lease: lease{outer: outer}, k: k, cap: k.cap, weight: weight}}
	}
	all, hub, other := site("all", owners), site("hub", 1), site("other", 1)
	for range owners {
		ws.add(ask(hub, 1, grant(all, 1)))
	}
	for _, c := range []struct {
		name     string
		last     *wait
		deadlock bool
	}{
		{"by-one-that-nobody-waits-for", ask(all, owners, grant(other, 1)), false},
		{"by-one-more-for-the-same", ask(hub, 1, grant(all, 1)), false},
		{"by-the-holder-that-all-wait-for", ask(other, 1, grant(hub, 1)), false},
		{"by-the-holder-that-all-wait-for-closing-cycles", ask(all, owners, grant(hub, 1)), true},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				ws.add(c.last)
				if cycle := ws.examine(c.last); (cycle != nil) != c.deadlock {
					b.Fatal(cycle)
				}
				ws.remove(c.last.request)
			}
		})
	}
}
