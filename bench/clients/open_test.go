package clients

import (
	"context"
	"testing"
	"time"
)

func TestEveryFileLibraryExcludes(t *testing.T) {
	for _, library := range []string{File, Flock} {
		t.Run(library, func(t *testing.T) {
			s := Spec{Library: library, Store: t.TempDir(), Name: "n"}
			c, err := Open(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			a, b := c.Handle(), c.Handle()
			if err := a.Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := b.Acquire(ctx); err == nil {
				t.Error("two handles hold one lock")
			}
			if err := a.Release(); err != nil {
				t.Error(err)
			}
			if err := b.Acquire(t.Context()); err != nil {
				t.Errorf("after the release: %v", err)
			} else if err := b.Release(); err != nil {
				t.Error(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnknownLibraryIsRefused(t *testing.T) {
	if _, err := Open(t.Context(), Spec{Library: "nosuch"}); err == nil {
		t.Error("opened")
	}
}
