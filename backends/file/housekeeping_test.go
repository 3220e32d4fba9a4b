//go:build unix

package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// onLinux says loudly that a test is about what only Linux can see.
func onLinux(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT CHECKED: lock files are never removed on this system")
	}
}

// files lists those of names.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if !strings.HasPrefix(f.Name(), ".") {
			names = append(names, f.Name())
		}
	}
	return names
}

// repair mends everything, however young.
func repair(t *testing.T, dir string) {
	t.Helper()
	_, left, err := Repair(context.Background(), dir, 0)
	if err != nil {
		t.Fatalf("Repair: %v", err)
	}
	for _, f := range left {
		t.Errorf("Repair left %+v", f)
	}
}

func TestNamesOutOfUseAreRemovedAndTokensGoOn(t *testing.T) {
	onLinux(t)
	dir := t.TempDir() + "/locks"
	a := sleepless(t, dir)
	last := map[string]uint64{}
	names := []string{"db", "Db", strings.Repeat("long ", 100), "\x00\xff"}
	for _, name := range names {
		g := mustAcquire(t, a, mutex(name))
		if err := a.dir.RaiseFloor(0); err != nil {
			t.Fatal(err)
		}
		last[name] = g.Token
		mustRelease(t, a, g)
	}
	if err := a.Close(patient(t)); err != nil { // closes the files at once
		t.Fatal(err)
	}
	if _, err := Check(context.Background(), dir, 0); err != nil || len(files(t, dir)) != 2*len(names) {
		t.Fatalf("a check has changed something: %q, %v", files(t, dir), err)
	}
	repair(t, dir)
	if left := files(t, dir); len(left) > 0 {
		t.Fatalf("%q are left", left)
	}
	b := sleepless(t, dir)
	floor, err := b.dir.Floor()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		g := mustAcquire(t, b, mutex(name))
		if g.Token <= last[name] || g.Token <= floor || floor < last[name] {
			t.Errorf("token %d after %d, floor %d", g.Token, last[name], floor)
		}
		mustRelease(t, b, g)
	}
}

// What anybody holds, waits for, has locked or has open stays.
func TestFilesInUseStay(t *testing.T) {
	onLinux(t)
	dir := t.TempDir() + "/locks"
	a := sleepless(t, dir)
	mustAcquire(t, a, mutex("mutex"))
	enqueue(t, sleepless(t, dir), mutex("mutex"))
	mustAcquire(t, a, reader("reader"))
	mustAcquire(t, a, permits("permits", 1, 2))
	c := sleepless(t, dir)
	for _, name := range []string{"locked", "open", "kept"} {
		mustRelease(t, c, mustAcquire(t, c, mutex(name)))
	}
	if err := c.Close(patient(t)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"locked", "open"} {
		f, err := os.Open(dir + "/" + name + lockdir.LockEnding)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if name == "locked" {
			if ok, err := lockdir.TryLock(int(f.Fd()), lockdir.Shared); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	}
	if err := os.WriteFile(dir+"/kept"+lockdir.LockEnding, []byte("something"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(files(t, dir))
	repair(t, dir)
	if after := fmt.Sprint(files(t, dir)); after != before {
		t.Errorf("left: %s\n want: %s", after, before)
	}
}

// A client that keeps the files of a name open for a moment after their use notices that they are gone.
func TestLingeringClientsNoticeRemovedFiles(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	for _, r := range requests("") {
		g := mustAcquire(t, a, r)
		mustRelease(t, a, g)
		mustAcquireAndRelease := func(last uint64) uint64 {
			h := mustAcquire(t, b, r)
			if h.Token <= last {
				t.Errorf("token %d after %d", h.Token, last)
			}
			mustRelease(t, b, h)
			return h.Token
		}
		last := mustAcquireAndRelease(g.Token)
		// As RemoveName does it, but for the lock file, which a and b have open.
		table, err := a.dir.Seize(r.Name + lockdir.TableEnding)
		if err != nil || table < 0 {
			t.Fatal(table, err)
		}
		far := last + 1<<40
		for _, step := range []func() error{
			func() error { return a.dir.RaiseFloor(far) },
			func() error { return lockdir.Truncate(int(table), 0) },
			func() error { return lockdir.UnlinkAt(a.dir.FD, r.Name+lockdir.TableEnding) },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		table.Free()
		g = mustAcquire(t, a, r) // not by a file without a name
		if g.Token <= far {
			t.Errorf("token %d after %d", g.Token, far)
		}
		all := r
		all.Weight = all.Capacity
		mustBeBusy(t, b, all)
		mustRelease(t, a, g)
		mustAcquireAndRelease(g.Token)
	}
}

// Processes use locks while their files are removed behind them again and again: nobody overlaps, tokens go up.
func TestHousekeepingBesideUse(t *testing.T) {
	onLinux(t)
	dir, logs := t.TempDir()+"/locks", t.TempDir()
	rounds := 200
	if testing.Short() {
		rounds = 40
	}
	var paths []string
	var workers []*proctest.Process
	for n := range 3 {
		path := filepath.Join(logs, fmt.Sprint(n))
		paths = append(paths, path)
		p := proctest.Start(t, "worker", dir, path, fmt.Sprint("worker ", n), "sparse")
		p.Expect("ready")
		workers = append(workers, p)
	}
	removed := 0
	for range rounds {
		mended, _, err := Repair(patient(t), dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range mended {
			if f.Topic == "names out of use" {
				removed++
			}
		}
		runtime.Gosched()
	}
	for _, p := range workers {
		p.Say("stop")
		if err := p.Wait(); err != nil {
			t.Errorf("a worker failed: %v", err)
		}
	}
	events, err := history.ReadFiles(paths...)
	if err != nil {
		t.Fatal(err)
	}
	v := history.Check(events)
	t.Logf("%v; files were removed in %d of %d repairs", v, removed, rounds)
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	if removed == 0 {
		t.Error("nothing was ever removed: the test has tested nothing")
	}
}

func TestRepairSparesWhatIsKept(t *testing.T) {
	onLinux(t)
	dir := t.TempDir() + "/locks"
	takeAndDie(t, dir, atLeast("job", time.Hour))
	takeAndDie(t, dir, atLeast("over", time.Millisecond))
	for over := false; !over; {
		state, err := Inspect(context.Background(), dir, "over")
		if over = len(state.Holders) == 0; err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	repair(t, dir)
	if left := files(t, dir); len(left) != 2 || left[0] != "job.lock" || left[1] != "job.table" {
		t.Errorf("files %q; want those of job", left)
	}
	b := sleepless(t, dir)
	mustBeBusy(t, b, mutex("job"))
	mustRelease(t, b, mustAcquire(t, b, mutex("over")))
}
