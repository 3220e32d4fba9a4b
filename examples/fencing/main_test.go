package main

import (
	"errors"
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
	const want = `west wrote under a later token
east is refused: true
the ledger says: written by west
east, asked now, knows that its lease is lost: true
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestLedgerRefusesOnlySmallerTokens(t *testing.T) {
	var l ledger
	if err := l.write(2, "a"); err != nil {
		t.Fatal(err)
	}
	if err := l.write(2, "b"); err != nil {
		t.Errorf("a holder's second write: %v", err)
	}
	if err := l.write(1, "c"); !errors.Is(err, errStale) || l.text != "b" {
		t.Errorf("a stale write: %v, the ledger says %q", err, l.text)
	}
	if err := l.write(3, "d"); err != nil || l.text != "d" {
		t.Errorf("a later holder's write: %v, the ledger says %q", err, l.text)
	}
}
