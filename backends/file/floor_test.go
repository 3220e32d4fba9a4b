//go:build unix

package file

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

func TestNewTablesBeginAboveTheFloor(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	ahead := uint64(time.Now().Add(time.Hour).UnixMicro())
	for _, token := range []uint64{ahead, ahead - 5, ahead + 5} { // it never comes down
		if err := b.dir.RaiseFloor(token); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.dir.Floor(); err != nil || got != ahead+5 {
		t.Fatalf("floor = %d, %v; want %d", got, err, ahead+5)
	}
	for i, want := range []uint64{ahead + 6, ahead + 7} {
		g := mustAcquire(t, b, mutex("db"))
		if g.Token != want {
			t.Errorf("token %d is %d; want %d", i, g.Token, want)
		}
		mustRelease(t, b, g)
	}
}

// What is not a floor is no number to believe in, and one that cannot be read lets nobody in.
func TestDamagedFloor(t *testing.T) {
	for _, text := range []string{"", "x", "lockkeeper floor ", "lockkeeper floor -1\n", "lockkeeper floor 9000000000000000000\n", "lockkeeper floor 12x\n"} {
		dir := t.TempDir() + "/locks"
		b := sleepless(t, dir)
		if err := os.WriteFile(dir+"/"+lockdir.FloorName, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		before := uint64(time.Now().UnixMicro())
		g := mustAcquire(t, b, mutex("db"))
		if g.Token < before || g.Token > uint64(time.Now().UnixMicro()) {
			t.Errorf("floor %q: token %d; want the clock's, about %d", text, g.Token, before)
		}
	}
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	if err := os.Symlink("/etc/hosts", dir+"/"+lockdir.FloorName); err != nil {
		t.Fatal(err)
	}
	if g, err := backends.TryAcquire(patient(t), b, mutex("db")); !errors.Is(err, backends.ErrPermission) {
		t.Errorf("TryAcquire = %+v, %v; want ErrPermission", g, err)
	}
	if err := os.Remove(dir + "/" + lockdir.FloorName); err != nil {
		t.Fatal(err)
	}
	mustRelease(t, b, mustAcquire(t, b, mutex("db")))
}
