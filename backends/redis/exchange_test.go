package redis

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// unsent returns an operation on n names, of which the client has not heard: it requests all of
// them, and releases two grants of every other one.
func unsent(n int) *operation {
	b := &Backend{opt: options{prefix: "lk:"}, conns: connections{batch: true}}
	b.pace.Store(newPace(time.Second, 0))
	op := &backends.Op{}
	o := &operation{b: b, op: op, wait: true}
	for i := range n {
		r := backends.Resource{Name: fmt.Sprintf("name%06d", i), Kind: backends.Semaphore, Capacity: 3}
		op.Acquire = append(op.Acquire, backends.Request{Resource: r, Weight: 1, Tokens: 1, TTL: time.Second})
	}
	for i := range n {
		seq := uint64(i + 1)
		g := backends.Grant{ID: backends.GrantID{Seq: seq}, Resource: op.Acquire[i/2*2].Resource, Weight: 1}
		o.releases = append(o.releases, release{Grant: g})
	}
	o.expect(op.Acquire)
	return o
}

// A command names each name once, with its releases in their order and its request, and changes
// nothing of what is known of the names.
func TestCommandNamesEachNameOnce(t *testing.T) {
	const n = 100
	o := unsent(n)
	o.split()
	var keys []any
	for i, p := range o.parts {
		var releases []int
		if i%2 == 0 {
			releases = []int{i, i + 1}
		}
		name := o.op.Acquire[i].Name
		if p.at.name != name || p.request != i || !slices.Equal(p.releases, releases) {
			t.Errorf("part %d is of %q: request %d, releases %v", i, p.at.name, p.request, p.releases)
		}
		keys = append(keys, o.b.address(name).keys...)
	}
	if len(o.parts) != n {
		t.Errorf("%d parts for %d names", len(o.parts), n)
	}
	for range 2 {
		if k := o.call(o.parts); !slices.Equal(k.keys, keys) {
			t.Errorf("the keys are %v, want %v", k.keys, keys)
		}
		if k := o.call(o.parts[1:2]); !slices.Equal(k.keys, o.parts[1].at.keys) {
			t.Errorf("the keys of one name are %v", k.keys)
		}
	}
}

// What a command takes to be made grows as the number of its names does, and not with its square.
func TestCommandForManyNamesIsMadeOnce(t *testing.T) {
	made := func(n int) (bytes uint64) {
		o := unsent(n)
		o.split()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		o.call(o.parts)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	made(10)
	few, many := made(100), made(10_000)
	if many > 3*100*few {
		t.Errorf("%d bytes for 100 names, %d for 10 000", few, many)
	}

}
