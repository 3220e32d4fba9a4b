package store_test

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

func TestParse(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text, want string
		kind       store.Kind
	}{
		{"file:/var/locks", "file:/var/locks", store.File},
		{"file:///var/locks", "file:/var/locks", store.File},
		{"file:locks", "file:" + filepath.Join(here, "locks"), store.File},
		{"file:.", "file:" + here, store.File},
		{"redis://localhost:6379", "redis://localhost:6379", store.Redis},
		{"rediss://user:secret@db.example:6380/2?dial_timeout=1s", "rediss://db.example:6380/2", store.Redis},
		{"redis://localhost?password=secret", "redis://localhost", store.Redis},
		{"redis://rediss://:secret@host", "redis://rediss:", store.Redis},
	} {
		s, err := store.Parse(c.text)
		if err != nil || s.String() != c.want || s.Kind() != c.kind {
			t.Errorf("Parse(%q) = %v, kind %v, %v; want %s, kind %v", c.text, s, s.Kind(), err, c.want, c.kind)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"memory:":           store.ErrRefused,
		"/var/locks":        store.ErrUnknown,
		"etcd://host":       store.ErrUnknown,
		"file:":             store.ErrUnknown,
		"file://":           store.ErrUnknown,
		"file://host/locks": store.ErrUnknown,
		"redis:":            store.ErrUnknown,
		"redis://":          store.ErrUnknown,
		":":                 store.ErrUnknown,
	} {
		if s, err := store.Parse(text); !errors.Is(err, want) {
			t.Errorf("Parse(%q) = %v, %v; want %v", text, s, err, want)
		}
	}
}

func TestNoErrorShowsAPassword(t *testing.T) {
	for _, text := range []string{
		"redis://:secret@",
		"redis://:secret%zz@host",
		"redis://user:secret@ho st:1",
		"redis://user:secret@host:port",
		"rediss://:secret@host:1\x7f",
	} {
		s, err := store.Parse(text)
		if err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, s)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("Parse(%q): %v", text, err)
		}
	}
}

func FuzzParseNeverShowsAPassword(f *testing.F) {
	f.Add("redis://user:", "@host:1/0")
	f.Add("rediss://:", "@[::1]:1?x=y")
	f.Add("redis://h?password=", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		const password = "Pa55-w0rd-Pa55"
		text := "redis://" + strings.TrimPrefix(before, "redis://") + password + after
		s, err := store.Parse(text)
		if err != nil {
			if strings.Contains(err.Error(), password) {
				t.Errorf("Parse(%q): %v", text, err)
			}
			return
		}
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(s.String(), password) && !strings.Contains(u.Host, password) {
			t.Errorf("Parse(%q) is shown as %v", text, s)
		}
	})
}
