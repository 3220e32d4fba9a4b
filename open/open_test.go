package open_test

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/open"
)

func mutex(name string) backends.Request {
	return backends.Request{
		Resource: backends.Resource{Name: name, Kind: backends.Mutex, Capacity: 1},
		Weight:   1, Tokens: 1, TTL: 10 * time.Second,
	}
}

func opened(t *testing.T, text string, opts ...open.Option) backends.Backend {
	t.Helper()
	b, err := open.Store(t.Context(), text, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Errorf("Close of %s: %v", text, err)
		}
	})
	return b
}

// wantOne fails unless both are clients of the same store: a lock held by one is busy for the other.
func wantOne(t *testing.T, a, b backends.Backend) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, err := backends.Acquire(ctx, a, mutex("n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backends.TryAcquire(ctx, b, mutex("n")); !errors.Is(err, backends.ErrBusy) {
		t.Errorf("the second client: %v, want ErrBusy", err)
	}
	if err := backends.Release(ctx, a, g); err != nil {
		t.Error(err)
	}
}

func TestADirectoryIsOneStoreHoweverItIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	t.Chdir(filepath.Dir(dir))
	first := opened(t, dir)
	for _, text := range []string{"file:" + dir, "file://" + dir, "./locks", "file:locks", "FILE:" + dir} {
		if got := opened(t, text); got.Capabilities().Name != "file" {
			t.Errorf("%s is a %s", text, got.Capabilities().Name)
		} else {
			wantOne(t, first, got)
		}
	}
}

func TestEachMemoryStoreIsOneOfItsOwn(t *testing.T) {
	a, b := opened(t, "memory:"), opened(t, "memory://")
	for _, store := range []backends.Backend{a, b} {
		if _, err := backends.TryAcquire(t.Context(), store, mutex("n")); err != nil {
			t.Error(err)
		}
	}
}

func TestParse(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want, scheme, dir string }{
		{"file:/var/locks", "file:/var/locks", "file", "/var/locks"},
		{"file:///var/locks", "file:/var/locks", "file", "/var/locks"},
		{"/var/locks/", "file:/var/locks", "file", "/var/locks"},
		{"file:locks", "file:" + filepath.Join(here, "locks"), "file", filepath.Join(here, "locks")},
		{"./locks", "file:" + filepath.Join(here, "locks"), "file", filepath.Join(here, "locks")},
		{".", "file:" + here, "file", here},
		{"memory:", "memory:", "memory", ""},
		{"redis://localhost:6379", "redis://localhost:6379", "redis", ""},
		{"rediss://user:secret@db.example:6380/2?dial_timeout=1s", "rediss://db.example:6380/2", "rediss", ""},
		{"redis://localhost?client_name=secret", "redis://localhost", "redis", ""},
		{"redis+sentinel://:secret@s1:26379/1?master_name=m&addr=s2:26379", "redis+sentinel://s1:26379/1", "redis+sentinel", ""},
		{"rediss+sentinel://s1?master_name=m", "rediss+sentinel://s1", "rediss+sentinel", ""},
		{"redis+cluster://:secret@n1:7000?addr=n2:7000", "redis+cluster://n1:7000", "redis+cluster", ""},
		{"rediss+cluster://n1", "rediss+cluster://n1", "rediss+cluster", ""},
	} {
		a, err := open.Parse(c.text)
		if err != nil || a.String() != c.want || a.Scheme() != c.scheme || a.Dir() != c.dir {
			t.Errorf("Parse(%q) = %v, scheme %q, directory %q, %v; want %v", c.text, a, a.Scheme(), a.Dir(), err, c)
		}
	}
}

func TestTextsThatMakeNoSenseAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "no scheme",
		"locks":                              "no scheme",
		":":                                  "no scheme",
		"etcd://host":                        `unknown store "etcd:"`,
		"localhost:6379":                     `unknown store "localhost:"`,
		"postgres://u:secret@host/db":        "lockkeeper-postgres in a shell",
		"postgresql://host/db":               "postgres.Open of the module backends/postgres",
		"file:":                              "with a directory",
		"file://":                            "without a host",
		"file://host/locks":                  "without a host",
		"memory:here":                        "memory: and no more",
		"redis:":                             "with a host",
		"redis://":                           "with a host",
		"redis://host:0":                     "a port from 1 to 65535",
		"redis://host/-1":                    "a database's number",
		"redis://host/x":                     "a database's number",
		"redis://host?nonsense=1":            "a database's number",
		"redis://ho st":                      "percent-encode",
		"redis+sentinel://host":              "the name of the master",
		"redis+sentinel://h/x?master_name=m": "a database's number",
		"redis+cluster://host?addr=x":        "a database's number",
	} {
		_, err := open.Store(t.Context(), text)
		if !errors.Is(err, backends.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("Store(%q): %v; want ErrInvalid that says %q", text, err, want)
		}
	}
}

func TestAnUnknownSchemeListsWhatIsKnown(t *testing.T) {
	_, err := open.Store(t.Context(), "etcd://user:secret@host")
	var unknown *open.SchemeError
	if !errors.As(err, &unknown) || unknown.Scheme != "etcd" || !slices.IsSorted(unknown.Known) {
		t.Fatalf("got %v, want a *SchemeError", err)
	}
	for _, scheme := range []string{"file", "memory", "redis", "rediss", "redis+sentinel", "redis+cluster"} {
		if !slices.Contains(unknown.Known, scheme) || !strings.Contains(err.Error(), scheme) {
			t.Errorf("%v does not list %s", err, scheme)
		}
	}
}

func TestNoErrorShowsAPassword(t *testing.T) {
	for _, text := range []string{
		"redis://:secret@",
		"redis://:secret%zz@host",
		"redis://user:secret@ho st:1",
		"redis://user:secret@host:port",
		"redis://user:secret@host/x",
		"rediss://:secret@host:1\x7f",
		"redis+sentinel://:secret@host",
		"redis+sentinel://host?master_name=m&password=secret&nonsense=1",
		"redis+cluster://:secret@host?addr=x",
	} {
		a, err := open.Parse(text)
		if err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, a)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("Parse(%q): %v", text, err)
		}
	}
}

func FuzzParseNeverShowsAPassword(f *testing.F) {
	f.Add("", "user:", "@host:1/0")
	f.Add("s", ":", "@[::1]:1?x=y")
	f.Add("", "h?password=", "")
	f.Add("", "user:", "\xadhost:1/0") // without the @
	f.Add("+sentinel", ":", "@h?master_name=m")
	f.Add("s+cluster", "rediss://:", "@h")
	f.Fuzz(func(t *testing.T, kind, before, after string) {
		const password = "Pa55-w0rd-Pa55"
		if strings.ContainsAny(kind, ":") {
			return
		}
		text := "redis" + kind + "://" + before + password + after
		a, err := open.Parse(text)
		if err != nil {
			u, broken := url.Parse(text)
			asHost := broken == nil && strings.Contains(u.Host, password) && strings.Count(u.Host, ":") < 2
			if strings.Contains(err.Error(), password) && !asHost {
				t.Errorf("Parse(%q): %v", text, err)
			}
			return
		}
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(a.String(), password) && !(strings.Contains(u.Host, password) && strings.Count(u.Host, ":") < 2) {
			t.Errorf("Parse(%q) is shown as %v", text, a)
		}
	})
}

func TestAnEndedContextOpensNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := filepath.Join(t.TempDir(), "locks")
	if _, err := open.Store(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("Store: %v, want the error of its context", err)
	}
	if entries, _ := filepath.Glob(dir); entries != nil {
		t.Error("the directory was made")
	}
}

func TestADirectoryThatCannotBeUsedIsAnErrorOfTheFileStore(t *testing.T) {
	b, err := open.Store(t.Context(), "file:/dev/null/locks")
	if err == nil || b != nil || !strings.Contains(err.Error(), "/dev/null/locks") {
		t.Errorf("Store = %v, %v; want no store, and an error that names the directory", b, err)
	}
}

// Any text is a store, or an error that says what is wrong: *SchemeError or *InvalidError. What it is
// does not depend on where it is asked for again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "/var/lock", "./x", "file:x", "FILE:///x/y", "file://host/x", "memory:", "memory:x", "redis://h:1/0", "rediss+sentinel://h?master_name=m",
		"redis+cluster://h1?addr=h2:1", "redis://[::1]:99999", "redis://u:p@h/x", "mysql://h", "\x00", "..", "a b:c", "redis:", "redis://h/?db=-1&x=y",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := open.Parse(text)
		var scheme *open.SchemeError
		var invalid *backends.InvalidError
		switch {
		case err != nil && !errors.As(err, &scheme) && !errors.As(err, &invalid), err != nil && !errors.Is(err, backends.ErrInvalid):
			t.Fatalf("Parse(%q): %v", text, err)
		case err != nil:
			return
		case a.Scheme() == "" || a.Scheme() != strings.ToLower(a.Scheme()) || !strings.HasPrefix(a.String(), a.Scheme()+":"):
			t.Fatalf("Parse(%q) is %v, with the scheme %q", text, a, a.Scheme())
		case (a.Scheme() == "file") != (a.Dir() != "") || a.Dir() != "" && !filepath.IsAbs(a.Dir()):
			t.Fatalf("Parse(%q) is the directory %q", text, a.Dir())
		case a.Dir() != "":
			again, err := open.Parse(a.String())
			if err != nil || again.Dir() != a.Dir() {
				t.Fatalf("Parse(%q) is %v, which is %q, %v", text, a, again.Dir(), err)
			}
		}
	})
}
