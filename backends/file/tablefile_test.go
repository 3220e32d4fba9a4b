package file

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// Whatever a table contains, the next grant's token is larger than all before, and nobody overlaps a holder of a mutex.
func TestDamagedTable(t *testing.T) {
	damages := map[string]func(raw []byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"cut":       func(raw []byte) []byte { return raw[:3] },
		"cut late":  func(raw []byte) []byte { return raw[:len(raw)-20] },
		"foreign":   func([]byte) []byte { return []byte("#!/bin/sh\nexit 1\n") },
		"zeroes":    func(raw []byte) []byte { return make([]byte, len(raw)) },
		"bit":       func(raw []byte) []byte { raw[len(raw)/2] ^= 4; return raw },
		"wild":      func([]byte) []byte { return []byte(strings.Repeat("token 18446744073709551615\n", 500)) },
		"long ago":  func([]byte) []byte { return []byte("token 5\n") },
		"directory": nil,
	}
	delete(damages, "directory")
	for what, damage := range damages {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			a, b := sleepless(t, dir), sleepless(t, dir)
			g := mustAcquire(t, a, mutex("db"))
			w := enqueue(t, b, mutex("db"))
			path := dir + "/db.table"
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			mustBeBusy(t, b, mutex("db"))
			mustBeBusy(t, a, mutex("db"))
			mustRelease(t, a, g)
			h := w.granted()
			if h.Token <= g.Token {
				t.Errorf("token %d after %d", h.Token, g.Token)
			}
			mustRelease(t, b, h)
		})
	}
}

// A table larger than a page is written in two steps; its queue stays in order.
func TestLongQueue(t *testing.T) {
	const n = 120
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	g := mustAcquire(t, a, mutex("db"))
	var queue []*waiterOf
	for i := range n {
		queue = append(queue, enqueue(t, []*Backend{a, b}[i%2], mutex("db")))
	}
	if s, err := b.Inspect(patient(t), "db"); err != nil || len(s.Waiters) != n {
		t.Fatalf("Inspect = %d waiters, %v; want %d", len(s.Waiters), err, n)
	}
	mustRelease(t, a, g)
	last := g.Token
	for i, w := range queue {
		g := w.granted()
		if g.Token <= last {
			t.Fatalf("token %d after %d", g.Token, last)
		}
		last = g.Token
		mustRelease(t, []*Backend{a, b}[i%2], g)
	}
	if info, err := os.Stat(dir + "/db.table"); err != nil || info.Size() > lockdir.Page {
		t.Errorf("the table has %d bytes after use, %v", info.Size(), err)
	}
}

// A table that speaks of another name, a copy, is not used, and the error says whose it is.
func TestTableOfAnotherName(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	mustRelease(t, b, mustAcquire(t, b, permits("db", 1, 1)))
	text, err := os.ReadFile(dir + "/db.table")
	if err == nil {
		err = os.WriteFile(dir+"/x.table", text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = backends.Acquire(patient(t), b, mutex("x"))
	if !errors.Is(err, backends.ErrMismatch) || !strings.Contains(err.Error(), `the table of another name, "db"`) {
		t.Errorf("Acquire: %v; want ErrMismatch that names the other", err)
	}
}
