package demo

import (
	"errors"
	"os"
	"slices"
	"testing"
)

func TestCountersCountAndAreFenced(t *testing.T) {
	dir := t.TempDir()
	if err := createCounters(dir, 2); err != nil {
		t.Fatal(err)
	}
	c, err := openCounters(dir, "1", 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []uint64{5, 9} {
		if err := c.add(1, token); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.add(1, 7); !errors.Is(err, ErrFenced) {
		t.Errorf("a stale token: %v", err)
	}
	got, err := readCount(c.files[1])
	if err != nil || got != (count{2, 9}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openCounters(dir, "1", 2); err == nil {
		t.Error("two processes of one name")
	}

	path := recordsPath(dir, "1")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, 1, 2, 3), private); err != nil { // a kill in the middle of a write
		t.Fatal(err)
	}
	records, err := readRecords(path)
	want := []record{{1, 1, 5, 0}, {1, 2, 9, 5}}
	if err != nil || !slices.Equal(records, want) {
		t.Errorf("got %v, %v, want %v", records, err, want)
	}
}
