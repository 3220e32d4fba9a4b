//go:build unix

package file

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// writeIdle makes the table of a name that was used once and is not in use.
func writeIdle(t *testing.T, d *lockdir.Dir, name string, token uint64) {
	t.Helper()
	f := lockdir.TableFile{FD: -1}
	err := f.Open(d, lockdir.Stem(name))
	defer f.Close()
	if err == nil {
		_, err = f.Unchanged()
	}
	if err == nil {
		err = f.Write(&lockdir.Table{Name: name, Kind: backends.Mutex, Capacity: 1, Token: token}, d, false)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A directory with the files of very many names is as good as one with few: a lock does not look at the others, and what
// does look at all, ls and doctor, gets through.
func TestVeryManyNames(t *testing.T) {
	n := 20_000
	switch {
	case testing.Short():
		n = 2000
	case long:
		n = 1_000_000
	}
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	for i := range n {
		writeIdle(t, a.dir, fmt.Sprint("name", i), uint64(i))
	}
	lap := time.Now()
	log := func(what string) { t.Logf("%d names: %s took %v", n, what, time.Since(lap)); lap = time.Now() }
	g := mustAcquire(t, a, mutex("db"))
	w := enqueue(t, b, mutex("db"))
	mustRelease(t, a, g)
	h := w.granted()
	log("a hand-off")
	names := 0
	for s, err := range a.List(context.Background()) {
		if err != nil || s.Resource.Name != "db" || len(s.Holders) != 1 {
			t.Errorf("List: %+v, %v; want the holder of db", s, err)
		}
		names++
	}
	if names != 1 {
		t.Errorf("List yields %d names; want 1", names)
	}
	log("List")
	fs, err := Check(context.Background(), dir, 0)
	if err != nil || len(found(fs, fmt.Sprint(n, " names"))) != 1 {
		t.Errorf("Check = %+v, %v; want %d names out of use", fs, err, n)
	}
	log("Check")
	mustRelease(t, b, h)
}
