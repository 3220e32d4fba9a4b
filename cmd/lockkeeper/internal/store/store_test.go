package store_test

import (
	"errors"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]struct {
		shown       string
		inDirectory bool
	}{
		"file:/var/locks":                 {"file:/var/locks", true},
		"/var/locks":                      {"file:/var/locks", true},
		"rediss://user:secret@db:6380/2":  {"rediss://db:6380/2", false},
		"redis+cluster://:secret@n1:7000": {"redis+cluster://n1:7000", false},
	} {
		s, err := store.Parse(text)
		if err != nil || s.String() != want.shown || s.InDirectory() != want.inDirectory {
			t.Errorf("Parse(%q) = %v, a directory: %v, %v; want %v", text, s, s.InDirectory(), err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"memory:":     store.ErrRefused,
		"etcd://host": backends.ErrInvalid,
		"file:":       backends.ErrInvalid,
		"redis://":    backends.ErrInvalid,
	} {
		if s, err := store.Parse(text); !errors.Is(err, want) {
			t.Errorf("Parse(%q) = %v, %v; want %v", text, s, err, want)
		}
	}
}
