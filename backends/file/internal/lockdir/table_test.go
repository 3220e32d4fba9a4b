package lockdir

import (
	"slices"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

func lines(clients ...uint64) (es []Entry) {
	for i, c := range clients {
		es = append(es, Entry{ID: backends.GrantID{Client: c, Seq: uint64(i)}, Weight: 1})
	}
	return es
}

func TestBlockers(t *testing.T) {
	const me = 1
	for _, test := range []struct {
		what             string
		holders, waiters []Entry
		want             []uint64
	}{
		{"nobody waits", lines(2), nil, nil},
		{"only others wait", lines(2), lines(3), nil},
		{"we are first", lines(2, 3, 2, me), lines(me, 4), []uint64{2, 3}},
		{"we are first and hold", lines(me), lines(me), nil},
		{"somebody is before us", lines(2), lines(3, 4, me, 5, me), []uint64{4}},
	} {
		tab := &Table{Holders: test.holders, Waiters: test.waiters}
		if got := tab.Blockers(me, nil); !slices.Equal(got, test.want) {
			t.Errorf("%s: blockers are %v; want %v", test.what, got, test.want)
		}
	}
}

func TestSole(t *testing.T) {
	whole := lines(2)
	broken := lines(2)
	broken[0].Broken = true
	for _, test := range []struct {
		what    string
		kind    backends.Kind
		holders []Entry
		want    int
	}{
		{"nobody", backends.Mutex, nil, -1},
		{"another", backends.Mutex, whole, 0},
		{"we", backends.Mutex, lines(1), -1},
		{"a broken one", backends.Mutex, broken, -1},
		{"a broken one and another", backends.Mutex, append(slices.Clone(broken), whole...), 1},
		{"all permits", backends.Semaphore, whole, -1}, // the kernel knows nothing of them
	} {
		tab := &Table{Kind: test.kind, Capacity: 1, Holders: test.holders}
		if got := tab.Sole(1); got != test.want {
			t.Errorf("%s: sole is %d; want %d", test.what, got, test.want)
		}
	}
}

func TestDropClient(t *testing.T) {
	tab := &Table{Holders: lines(1, 2, 1), Waiters: lines(2, 3, 1)}
	if !tab.DropClient(1) || len(tab.Holders) != 1 || len(tab.Waiters) != 2 || tab.DropClient(1) {
		t.Errorf("after dropClient: %+v", tab)
	}
	if got := tab.Clients(2); !slices.Equal(got, []uint64{3}) {
		t.Errorf("clients are %v; want [3]", got)
	}
	if !tab.Contended(2) || tab.Contended(3) != true || (&Table{Waiters: lines(7)}).Contended(7) {
		t.Error("contended counts the wrong waiters")
	}
}
