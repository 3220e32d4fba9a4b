package file

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

func TestWithSync(t *testing.T) {
	b := open(t, t.TempDir()+"/locks", WithSync())
	g := mustAcquire(t, b, mutex("db"))
	mustRelease(t, b, g)
	if h := mustAcquire(t, b, permits("db", 1, 2)); h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
}

// Missing arguments are refused with a typed error, and no file is made.
func TestNilAndZero(t *testing.T) {
	t.Chdir(t.TempDir())
	invalid := func(what string, err error) {
		t.Helper()
		var typed *backends.InvalidError
		if !errors.Is(err, backends.ErrInvalid) || !errors.As(err, &typed) {
			t.Errorf("%s: %v; want an InvalidError", what, err)
		}
	}
	_, err := New("")
	invalid("New of no directory", err)
	_, err = New("locks", nil)
	invalid("New with a nil option", err)
	_, err = New("locks", WithSync(), nil)
	invalid("New with a nil option at the end", err)
	_, err = Check(t.Context(), "", time.Hour)
	invalid("Check of no directory", err)
	_, err = Check(t.Context(), "locks", -time.Second)
	invalid("Check with a negative time", err)
	if lockdir.Repairs {
		_, _, err = Repair(t.Context(), "", time.Hour)
		invalid("Repair of no directory", err)
	}
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("%v, %v; want nothing made", files, err)
	}

	b := open(t, "locks")
	_, err = backends.Acquire(t.Context(), b, backends.Request{})
	invalid("Acquire of nothing", err)
	_, err = backends.TryAcquire(t.Context(), b, backends.Request{})
	invalid("TryAcquire of nothing", err)
	invalid("Renew of nothing", b.Renew(t.Context(), []backends.Renewal{{}})[0].Err)
	_, err = b.Inspect(t.Context(), "")
	invalid("Inspect of no name", err)
	invalid("Break of no name", b.Break(t.Context(), ""))
	never := backends.Grant{Resource: mutex("never").Resource, Weight: 1}
	for what, g := range map[string]backends.Grant{"nothing": {}, "what was never held": never} {
		if err := backends.Release(t.Context(), b, g); !errors.Is(err, backends.ErrLost) {
			t.Errorf("Release of %s: %v; want ErrLost", what, err)
		}
	}
	if err := b.Renew(t.Context(), []backends.Renewal{{Grant: never}})[0].Err; !errors.Is(err, backends.ErrLost) {
		t.Errorf("Renew of what was never held: %v; want ErrLost", err)
	}
	if files, err := os.ReadDir("locks"); err != nil || len(files) != 1 {
		t.Errorf("%v, %v; want the directory of inboxes only", files, err)
	}
}
