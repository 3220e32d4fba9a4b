package apitest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestOutcomesAreToldApart(t *testing.T) {
	for want, f := range map[string]func() any{
		"panic: boo": func() any { panic("boo") },
		"error: boo": func() any { return errors.New("boo") },
		"<nil>":      func() any { return nil },
		"true":       func() any { return true },
	} {
		if got := Outcome(f); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestFunctionsAndMethodsOfExportedTypesAreFound(t *testing.T) {
	dir := t.TempDir()
	const source = `package p
type T struct{}
type G[A, B any] struct{}
type hidden struct{}
func F() {}
func (T) M() {}
func (*G[A, B]) P() {}
func (hidden) Q() {}
func f() {}
`
	for name, text := range map[string]string{"p.go": source, "p_test.go": "package p\nfunc TestF() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := exported(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"F", "T.M", "G.P"} {
		if _, ok := names[want]; !ok {
			t.Errorf("%s is not found", want)
		}
	}
	if len(names) != 3 {
		t.Errorf("found %v", names)
	}
}
