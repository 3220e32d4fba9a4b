package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

func TestCheckLooksAtDirectoriesThatDoNotExist(t *testing.T) {
	s, err := store.Parse("file:" + t.TempDir() + "/missing")
	if err != nil {
		t.Fatal(err)
	}
	fs, err := store.Check(context.Background(), s, time.Hour)
	if err != nil || backends.Worst(fs) != backends.Note {
		t.Errorf("Check = %+v, %v; want a note", fs, err)
	}
}

func TestOnlyDirectoriesAreRepaired(t *testing.T) {
	s, err := store.Parse("redis://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Repair(context.Background(), s, time.Hour); !errors.Is(err, store.ErrRefused) {
		t.Errorf("Repair = %v; want ErrRefused", err)
	}
}
