//go:build unix

package file

import (
	"bytes"
	"os"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// releaseUnheard removes the holders from the table of a name, as another process does that has not
// woken anybody yet.
func releaseUnheard(t *testing.T, dir, name string) {
	t.Helper()
	f, err := os.OpenFile(dir+"/"+name+lockdir.TableEnding, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	if err := lockdir.WaitLock(fd); err != nil {
		t.Fatal(err)
	}
	tab := lockdir.TableFile{FD: fd}
	if _, err := tab.Unchanged(); err != nil {
		t.Fatal(err)
	}
	says, err := tab.Read()
	if err != nil {
		t.Fatal(err)
	}
	says.Holders = nil
	if err := tab.Write(says, nil, false); err != nil {
		t.Fatal(err)
	}
}

// A try in vain, or an operation that fails, takes back its own grants only: what the same turn has
// granted to a waiter of this process is written, and its token is not given out again.
func TestWhatIsTakenBackLeavesTheGrantsOfOthers(t *testing.T) {
	for what, op := range map[string]backends.Op{
		"a try of a name that is held":     {Acquire: []backends.Request{permits("n", 1, 3), mutex("held")}},
		"a request of a kind that differs": {Acquire: []backends.Request{permits("n", 1, 3), permits("held", 1, 2)}, Wait: true},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			a, b, holder := sleepless(t, dir), sleepless(t, dir), startClient(t, dir)
			held := mustAcquire(t, b, mutex("held"))
			mustAcquire(t, holder, permits("n", 3, 3))
			stop(t, holder.p, dir+"/n"+lockdir.TableEnding) // or it would find its line gone
			w := enqueue(t, a, permits("n", 2, 3))
			releaseUnheard(t, dir, "n")
			begin(a, op).run(patient(t)).answers(t)
			g := w.granted()
			s, err := b.Inspect(patient(t), "n")
			if err != nil || len(s.Holders) != 1 || s.Holders[0].Token != g.Token || s.Token < g.Token {
				t.Errorf("another process sees %+v, %v; want the grant with token %d", s, err, g.Token)
			}
			mustBeBusy(t, b, permits("n", 2, 3))
			h := mustAcquire(t, b, permits("n", 1, 3))
			if h.Token <= g.Token {
				t.Errorf("token %d after %d", h.Token, g.Token)
			}
			mustRelease(t, b, h)
			mustRelease(t, a, g)
			mustRelease(t, b, held)
		})
	}
}

// A table that cannot be read is not overwritten, whatever is released meanwhile.
func TestTableThatCannotBeReadIsLeftAlone(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a := sleepless(t, dir)
	g := mustAcquire(t, a, permits("n", 1, 2))
	mustRelease(t, a, mustAcquire(t, a, permits("other", 1, 2)))
	other, err := os.ReadFile(dir + "/other" + lockdir.TableEnding)
	if err != nil {
		t.Fatal(err)
	}
	table := dir + "/n" + lockdir.TableEnding
	if err := os.WriteFile(table, other, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := backends.Release(patient(t), a, g); err == nil {
		t.Error("Release: nil; want an error")
	}
	if now, err := os.ReadFile(table); err != nil || !bytes.Equal(now, other) {
		t.Errorf("the table says now:\n%s\n%v", now, err)
	}
}
