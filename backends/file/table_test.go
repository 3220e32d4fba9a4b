//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// withHeader makes a table file of a body, whatever the body is.
func withHeader(body string) string {
	const length = len("lockkeeper 1 version 0000000000000000 crc 00000000 at 00000000 length 00000000\n")
	return fmt.Sprintf("lockkeeper 1 version %016x crc %08x at %08x length %08x\n", 99,
		crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli)), length, len(body)) + body
}

// Whatever another program writes into a table: who holds the kernel's lock excludes everybody else,
// every call says what is wrong by a typed error, and a repair leaves a table that can be used.
func FuzzTable(f *testing.F) {
	line := "0000000000000001-1 weight 1 token 5 since 2026-01-02T12:00:00.000006Z pid 7 started 2026-01-02T12:00:00.000006Z host \"h\" label \"l\""
	for _, body := range []string{
		"name \"db\"\nmutex capacity 1\ntoken 5\n",
		"name \"db\"\nmutex capacity 1\ntoken 5\nholder " + line + " file 7\nwaiter " + strings.Replace(line, "token 5", "token 0", 1) + "\n",
		"name \"db\"\nsemaphore capacity 2\ntoken 5\nholder " + line + "\nbroken " + line + "\nholder " + line + "\n",
		"name \"db\"\nrwlock capacity 1073741824\ntoken 4611686018427387904\n",
		"name \"db\"\nmutex capacity 1\ntoken 5\nholder " + strings.Replace(line, " since", " kept 60000000 until 2096-01-02T15:05:05.000006Z boot 0000000000000000 1 since", 1) + "\n",
		"name \"other\"\nmutex capacity 1\ntoken 5\n",
	} {
		f.Add(body, true, false)
		f.Add(withHeader(body)[:len(body)], false, true)
	}
	f.Add("", false, true)
	f.Fuzz(func(t *testing.T, text string, isBody, asWriter bool) {
		if isBody {
			text = withHeader(text)
		}
		dir := t.TempDir() + "/locks"
		a, b := open(t, dir), open(t, dir)
		r := mutex("db")
		if asWriter {
			r = writer("db")
		}
		g := mustAcquire(t, a, r)
		if err := os.WriteFile(dir+"/db"+lockdir.TableEnding, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx := patient(t)
		typed := func(call string, err error) {
			t.Helper()
			for _, is := range []error{nil, backends.ErrMismatch, backends.ErrBusy, backends.ErrLost, backends.ErrUnavailable} {
				if errors.Is(err, is) {
					return
				}
			}
			t.Errorf("%s: %v", call, err)
		}
		for range 2 { // what the first has put right, the second finds so
			h, err := backends.TryAcquire(ctx, b, r)
			if err == nil {
				t.Fatalf("%+v is granted beside %+v", h, g)
			}
			typed("TryAcquire", err)
			_, err = Inspect(ctx, dir, "db")
			typed("the function Inspect", err)
			_, err = b.Inspect(ctx, "db")
			typed("Inspect", err)
			for _, err := range List(ctx, dir) {
				typed("List", err)
			}
			_, err = Check(ctx, dir, time.Hour)
			typed("Check", err)
		}
		typed("Renew", a.Renew(ctx, []backends.Renewal{{Grant: g}})[0].Err)
		typed("Release", backends.Release(ctx, a, g))
		typed("Break", b.Break(ctx, "db"))
		checkRepaired(ctx, t, dir, b, r)
	})
}

// checkRepaired repairs a directory that nobody uses, and checks that the name can be used, unless
// its permits stay taken.
func checkRepaired(ctx context.Context, t *testing.T, dir string, b *Backend, r backends.Request) {
	if _, _, err := Repair(ctx, dir, 0); err != nil {
		t.Errorf("Repair: %v", err)
	}
	h, err := backends.TryAcquire(ctx, b, r)
	if err != nil {
		t.Fatalf("after the repair: %v", err)
	}
	mustRelease(t, b, h)
}

// A directory believes its floor, unless it is no number that could have been a token.
func FuzzFloor(f *testing.F) {
	for _, s := range []string{"", "lockkeeper floor 12\n", "lockkeeper floor 12", "lockkeeper floor 9000000000000000000\n", "lockkeeper floor 12x", "lockkeeper floor +1\n"} {
		f.Add(s, uint64(7))
	}
	dir := f.TempDir() + "/locks"
	b, err := New(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = b.Close(context.Background()) })
	f.Fuzz(func(t *testing.T, text string, token uint64) {
		if err := os.WriteFile(dir+"/"+lockdir.FloorName, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		was, err := b.dir.Floor()
		if ahead := time.Now().AddDate(101, 0, 0).UnixMicro(); err != nil || was > uint64(ahead) {
			t.Fatalf("%q is a floor of %d, %v", text, was, err)
		}
		token %= 1 << 50
		if err := b.dir.RaiseFloor(token); err != nil {
			t.Fatal(err)
		}
		if is, err := b.dir.Floor(); err != nil || is != max(was, token) {
			t.Fatalf("%q raised from %d to %d is %d, %v", text, was, token, is, err)
		}
	})
}

// Half a line of another program swallows no message that comes after it.
func TestAMessageAfterHalfALineIsHeard(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := open(t, dir), open(t, dir)
	trustEvents(b)
	g := mustAcquire(t, a, mutex("db"))
	w := enqueue(t, b, mutex("db"))
	if err := os.WriteFile(dir+"/"+b.dir.InboxOf(b.id), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRelease(t, a, g)
	mustRelease(t, b, w.granted())
}

// Whatever is written into the inboxes of a holder and a waiter, the waiter hears of the release.
func FuzzInbox(f *testing.F) {
	for _, s := range []string{"", "db\n", strings.Repeat("db\n", 2), "db", "\n\n", "other\ndb\n", strings.Repeat("x", 3000) + "\n", "\x00\xff\n"} {
		f.Add(s, "db\n", uint8(3))
	}
	f.Fuzz(func(t *testing.T, first, second string, at uint8) {
		dir := t.TempDir() + "/locks"
		a, b := open(t, dir), open(t, dir)
		trustEvents(b)
		g := mustAcquire(t, a, mutex("db"))
		w := enqueue(t, b, mutex("db"))
		for _, c := range []*Backend{a, b} {
			in, err := os.OpenFile(dir+"/"+c.dir.InboxOf(c.id), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			cut := min(int(at), len(first))
			for _, part := range []string{first[:cut], first[cut:], second} {
				if _, err := in.WriteString(part[:min(len(part), 4096)]); err != nil {
					t.Fatal(err)
				}
			}
			_ = in.Close()
		}
		mustRelease(t, a, g)
		mustRelease(t, b, w.granted())
	})
}
