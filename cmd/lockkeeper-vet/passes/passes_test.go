package passes

import (
	"go/types"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
	"golang.org/x/tools/go/packages"
)

// The programs in testdata import the real packages. A comment "want" says what is reported in its
// line; all other lines are left alone.

func TestDroppedClaimsAreReported(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), DroppedClaim, "./dropped")
}

func TestUncheckedAcquiresAreReported(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), UncheckedAcquire, "./unchecked")
}

func TestLostLeasesAreReported(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), LostLease, "./lost")
}

// exempt are exported methods that look like an acquire and are none.
var exempt = map[string]string{
	"manager.Election.Changes": "looks",
	"manager.Election.Leader":  "looks",
	"manager.Lease.Detach":     "ends a lease",
	"manager.Manager.Break":    "takes locks from others",
	"manager.Manager.Close":    "ends leases",
	"manager.Manager.Inspect":  "looks",
	"manager.Manager.List":     "looks",
	"primitives.Barrier.Wait":  "no lock",
	"primitives.Cond.Wait":     "no lock",
	"primitives.Event.Wait":    "no lock",
	"primitives.Latch.Wait":    "no lock",
}

// A method that takes a context, or tries, is an acquire unless it is exempt.
func TestEveryAcquireOfTheLibraryIsKnown(t *testing.T) {
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadTypes, Dir: analysistest.TestData()},
		library+"manager", library+"primitives")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, pkg := range pkgs {
		for _, name := range pkg.Types.Scope().Names() {
			obj, ok := pkg.Types.Scope().Lookup(name).(*types.TypeName)
			if !ok || !obj.Exported() || obj.IsAlias() {
				continue
			}
			for m := range types.NewMethodSet(types.NewPointer(obj.Type())).Methods() {
				if looksLikeAnAcquire(m.Obj()) {
					found[pkg.Types.Name()+"."+name+"."+m.Obj().Name()] = true
				}
			}
		}
	}
	for name := range found {
		if _, known := acquires[name]; !known && exempt[name] == "" {
			t.Errorf("%s is neither in acquires nor exempt", name)
		}
	}
	for name := range acquires {
		if !found[name] {
			t.Errorf("%s is in acquires, and does not exist", name)
		}
	}
	for name := range exempt {
		if !found[name] {
			t.Errorf("%s is exempt, and does not exist", name)
		}
	}
}

func looksLikeAnAcquire(m types.Object) bool {
	params := m.Type().(*types.Signature).Params()
	return m.Exported() && (strings.HasPrefix(m.Name(), "Try") ||
		params.Len() > 0 && params.At(0).Type().String() == "context.Context")
}
