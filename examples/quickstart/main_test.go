package main

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestOutput(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	const want = `goroutines: gave up: true
goroutines: free again: true
names: anna has 0 and ben has 100
processes: busy: true
processes: the later token is larger: true
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
