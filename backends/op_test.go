package backends

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// requestsOf returns a request for each name.
func requestsOf(names []string) []Request {
	rs := make([]Request, len(names))
	for i, name := range names {
		rs[i] = Request{Resource: Resource{Name: name, Kind: Mutex, Capacity: 1}, Weight: 1, Tokens: 1}
	}
	return rs
}

// orders returns n names of one length, in several orders.
func orders(n int) map[string][]string {
	ascending := make([]string, n)
	for i := range ascending {
		ascending[i] = fmt.Sprintf("name%09d", i)
	}
	descending, shuffled, rotated := slices.Clone(ascending), slices.Clone(ascending), slices.Clone(ascending)
	slices.Reverse(descending)
	rnd := rand.New(rand.NewPCG(1, 2))
	rnd.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	rotated = append(rotated[n/2:], rotated[:n/2]...)
	return map[string][]string{
		"ascending": ascending, "descending": descending, "shuffled": shuffled, "rotated": rotated,
	}
}

// A name that is requested twice is found wherever its two requests stand.
func TestOpCheckFindsANameThatIsRequestedTwice(t *testing.T) {
	for _, n := range []int{2, 3, 16, 17, 100} {
		for order, names := range orders(n) {
			op := &Op{Acquire: requestsOf(names), Granted: func(int, Grant, error) {}}
			if err := op.Check(Capabilities{}); err != nil {
				t.Errorf("%d names, %s: %v", n, order, err)
			}
			for _, at := range [][2]int{{0, 1}, {0, n - 1}, {n - 2, n - 1}, {n / 3, n / 2}} {
				if at[0] == at[1] {
					continue
				}
				twice := slices.Clone(names)
				twice[at[1]] = twice[at[0]]
				op.Acquire = requestsOf(twice)
				var invalid *InvalidError
				if err := op.Check(Capabilities{}); !errors.As(err, &invalid) || invalid.Value != twice[at[0]] {
					t.Errorf("%d names, %s, requests %v for one name: %v", n, order, at, err)
				}
				for i, want := range twice { // the requests stand where they stood
					if op.Acquire[i].Name != want {
						t.Fatalf("%d names, %s: request %d is for %q now, was for %q", n, order, i, op.Acquire[i].Name, want)
					}
				}
			}
		}
	}
}

// The search for a name that is requested twice compares n log n times, not n².
func TestSearchForARepeatedNameComparesLittle(t *testing.T) {
	for _, n := range []int{10, 100, 1000, 10000} {
		most := 2 * n * bits.Len(uint(n))
		for order, names := range orders(n) {
			compared := 0
			_, ok := repeated(requestsOf(names), func(a, b string) int { compared++; return strings.Compare(a, b) })
			if ok || compared > most {
				t.Errorf("%d names, %s: %d comparisons, want %d at most; found: %t", n, order, compared, most, ok)
			}
			if order == "ascending" && compared > 2*n {
				t.Errorf("%d names in order: %d comparisons, want %d at most", n, compared, 2*n)
			}
		}
	}
}

// The check of an operation on a few names allocates nothing.
func TestOpCheckOfAFewNamesAllocatesNothing(t *testing.T) {
	op := &Op{Acquire: requestsOf(orders(16)["shuffled"]), Granted: func(int, Grant, error) {}}
	if n := testing.AllocsPerRun(100, func() { _ = op.Check(Capabilities{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkOpCheck models the check of an All of n names, as a manager sends it: in order. The
// baseline compares each name with each.
func BenchmarkOpCheck(b *testing.B) {
	for _, n := range []int{1, 2, 10, 1000} {
		rs := requestsOf(orders(n)["ascending"])
		op := &Op{Acquire: rs, Granted: func(int, Grant, error) {}}
		b.Run(fmt.Sprint("lockkeeper/", n), func(b *testing.B) {
			for b.Loop() {
				if err := op.Check(Capabilities{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("pairs/", n), func(b *testing.B) {
			for b.Loop() {
				for i := range rs {
					if err := rs[i].Check(Capabilities{}); err != nil {
						b.Fatal(err)
					}
					for j := range i {
						if rs[j].Name == rs[i].Name {
							b.Fatal("twice")
						}
					}
				}
			}
		})
	}
}
