//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

const otherUser = 4711

// visitor is the helper that becomes another user and uses a directory. It says what came of it.
func visitor(c *proctest.Child) error {
	if err := errors.Join(syscall.Setgid(otherUser), syscall.Setuid(otherUser)); err != nil {
		return err
	}
	b, err := New(c.Args[0])
	if err != nil {
		c.Say("%t %t %v", errors.Is(err, backends.ErrPermission), errors.Is(err, backends.ErrUnavailable), err)
		return nil
	}
	defer b.Close(context.Background()) //nolint:errcheck // it ends here
	g, err := backends.TryAcquire(context.Background(), b, mutex("db"))
	if err == nil {
		err = backends.Release(context.Background(), b, g)
	}
	c.Say("works %v", err)
	return nil
}

// Users do not share a directory. Whatever it is like, all but its owner and the superuser are refused, with the reason.
func TestTwoUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT CHECKED: two users; that takes root")
	}
	for _, test := range []struct {
		mode   os.FileMode
		owner  int
		root   string // in the error for the superuser; empty: works
		others string
	}{
		{0o777 | os.ModeSticky, 0, "others may write", "others may write"},
		{0o777 | os.ModeSticky, otherUser, "others may write", "others may write"},
		{0o700, 0, "", "permission denied"},
		{0o700, otherUser, "belongs to user 4711", ""},
	} {
		t.Run(fmt.Sprintf("%v of %d", test.mode, test.owner), func(t *testing.T) {
			dir, err := os.MkdirTemp("", "lockkeeper") //nolint:usetesting // each directory above is open to all users
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := os.RemoveAll(dir); err != nil {
					t.Error(err)
				}
			})
			if err := errors.Join(os.Chown(dir, test.owner, test.owner), os.Chmod(dir, test.mode)); err != nil {
				t.Fatal(err)
			}
			if b, err := New(dir); test.root == "" {
				if err != nil {
					t.Fatalf("the superuser: %v", err)
				}
				mustRelease(t, b, mustAcquire(t, b, mutex("db")))
				if err := b.Close(patient(t)); err != nil {
					t.Error(err)
				}
			} else if !errors.Is(err, backends.ErrPermission) || !strings.Contains(err.Error(), test.root) {
				t.Errorf("the superuser: %v; want %q", err, test.root)
			}
			p := proctest.Start(t, "visitor", dir)
			switch said := p.Expect(""); {
			case test.others == "" && said != "works <nil>",
				test.others != "" && (!strings.HasPrefix(said, "true false") || !strings.Contains(said, test.others)):
				t.Errorf("the other user: %s; want %q", said, test.others)
			}
			if err := p.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// examiner is the helper that becomes another user, and says what Check finds wrong with a directory
// and whether a name can be locked there.
func examiner(c *proctest.Child) error {
	if err := errors.Join(syscall.Setgid(otherUser), syscall.Setuid(otherUser)); err != nil {
		return err
	}
	found, err := Check(context.Background(), c.Args[0], time.Hour)
	if err != nil {
		return err
	}
	b, err := New(c.Args[0])
	if err == nil {
		_, err = backends.TryAcquire(context.Background(), b, mutex("db"))
		_ = b.Close(context.Background())
	}
	c.Say("locked: %t, found: %v, %v", err == nil, backends.Worst(found), found)
	return nil
}

// Check finds what keeps the user from locking a name, whichever mode or owner of which file it is.
func TestWhatTheUserMayNotUseIsFound(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT CHECKED: modes as another user meets them; that takes root")
	}
	names := []string{"", lockdir.ClientsName, "db" + lockdir.LockEnding, "db" + lockdir.TableEnding}
	tests := map[string]func(dir string) error{"nothing": func(string) error { return nil }}
	for _, name := range names {
		for mode := os.FileMode(0); mode <= 0o700; mode += 0o100 {
			tests[fmt.Sprintf("%q of mode %04o", name, mode)] = func(dir string) error { return os.Chmod(dir+"/"+name, mode) }
		}
		tests[fmt.Sprintf("%q of root", name)] = func(dir string) error { return os.Chown(dir+"/"+name, 0, 0) }
	}
	for what, spoil := range tests {
		t.Run(what, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "lockkeeper") //nolint:usetesting // each directory above is open to all users
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			b, err := New(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = b.Close(patient(t)) })
			mustRelease(t, b, mustAcquire(t, b, mutex("db")))
			mustAcquire(t, b, mutex("held"))
			for _, name := range append(names, "held"+lockdir.LockEnding, "held"+lockdir.TableEnding) {
				if err := os.Chown(dir+"/"+name, otherUser, otherUser); err != nil {
					t.Fatal(err)
				}
			}
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			p := proctest.Start(t, "examiner", dir)
			said := p.Expect("")
			if strings.HasPrefix(said, "locked: false") && !strings.Contains(said, "found: failure") {
				t.Errorf("not found: %s", said)
			}
			if strings.Contains(said, "have ended") {
				t.Errorf("the holder of another name lives: %s", said)
			}
			if what == "nothing" && !strings.HasPrefix(said, "locked: true, found: ok") {
				t.Errorf("found where nothing is wrong: %s", said)
			}
			if err := p.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A file that another user has put in the place of ours is an error at once, not a lock that is busy.
func TestFileOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT CHECKED: a file of another user; that takes root")
	}
	for _, ending := range []string{lockdir.LockEnding, lockdir.TableEnding} {
		dir, err := os.MkdirTemp("", "lockkeeper") //nolint:usetesting // each directory above is open to all users
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
		if err := errors.Join(os.Chown(dir, otherUser, otherUser), os.WriteFile(dir+"/db"+ending, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		p := proctest.Start(t, "visitor", dir)
		if said := p.Expect("works"); !strings.Contains(said, backends.ErrPermission.Error()) {
			t.Errorf("%s: %s; want %q", ending, said, backends.ErrPermission)
		}
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
	}
}
