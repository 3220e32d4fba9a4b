package primitives

import (
	"os/exec"
	"strings"
	"testing"
)

// A file that copies each of the locks, one in each way that go vet knows.
const copies = `package primitives

type table struct{ lock RWMutex }

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
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("go vet does not say %q:\n%s", want, out)
		}
	}
}
