package main

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestOutput(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	const want = `gave up: true
refused: 6
served: 7
broken page: the parser panicked: true
sound page: SOUND PAGE <nil>
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
