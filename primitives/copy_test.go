package primitives

import (
	"os/exec"
	"strings"
	"testing"
)

// A file that copies each of the locks, one in each way that go vet knows.
const copies = `package primitives

type table struct{ lock RWMutex }

type others struct {
	a Cond
	b Barrier
	c Latch
	d Event
	e KeyedMutex[int]
	f KeyedRWMutex[int]
}

func a(o *others) { x := o.a; _ = &x }
func b(o *others) { x := o.b; _ = &x }
func c(o *others) { x := o.c; _ = &x }
func d(o *others) { x := o.d; _ = &x }
func e(o *others) { x := o.e; _ = &x }
func f(o *others) { x := o.f; _ = &x }

func assigned(m *Mutex)      { n := *m; _ = &n }
func passed(t table)         { _ = &t }
func ranged(all []Semaphore) { for _, s := range all { _ = &s } }
`

func TestGoVetReportsCopiesOfLocks(t *testing.T) {
	if testing.Short() {
		t.Skip("runs go vet; not with -short")
	}
	list := overlay(t, map[string]string{"zz_copies.go": copies})
	out, err := exec.CommandContext(t.Context(), "go", "vet", "-copylocks", "-overlay", list, ".").CombinedOutput()
	if err == nil {
		t.Fatalf("go vet has nothing to say:\n%s", out)
	}
	for _, want := range []string{
		"assignment copies lock value to n: ",
		"passed passes lock by value: ",
		"range var s copies lock: ",
		"copies lock value to x: github.com/lockkeeper/lockkeeper/primitives.Cond",
		"copies lock value to x: github.com/lockkeeper/lockkeeper/primitives.Barrier",
		"copies lock value to x: github.com/lockkeeper/lockkeeper/primitives.Latch",
		"copies lock value to x: github.com/lockkeeper/lockkeeper/primitives.Event",
		"copies lock value to x: github.com/lockkeeper/lockkeeper/primitives.KeyedMutex",
		"copies lock value to x: github.com/lockkeeper/lockkeeper/primitives.KeyedRWMutex",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("go vet does not say %q:\n%s", want, out)
		}
	}
}
