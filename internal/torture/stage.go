//go:build linux

package torture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// Stage is a testing.TB for test support that runs outside of a test: it has a directory, and clears
// away at its end. A failure ends the round.
type Stage struct{ *stage }

// stage has the methods that test support needs.
type stage struct {
	testing.TB // for the methods that are not needed: nil
	dir        string

	mu       sync.Mutex
	cleanups []func()
	dirs     int
}

// failure is what the round panics with when the stage fails, and what catch makes an error of.
type failure struct{ text string }

// catch is deferred by whoever uses a stage.
func catch(err *error) {
	switch p := recover().(type) {
	case nil:
	case failure:
		*err = fmt.Errorf("the store cannot be kept running: %s", p.text)
	default:
		panic(p)
	}
}

func (s *stage) Helper()                           {}
func (s *stage) Context() context.Context          { return context.Background() }
func (s *stage) Failed() bool                      { return false }
func (s *stage) Logf(string, ...any)               {}
func (s *stage) Fatal(args ...any)                 { panic(failure{fmt.Sprint(args...)}) }
func (s *stage) Fatalf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }
func (s *stage) Skipf(format string, args ...any)  { s.Fatalf(format, args...) }
func (s *stage) Errorf(format string, args ...any) { s.Fatalf(format, args...) }
func (s *stage) Error(args ...any)                 { s.Fatal(args...) }

// Cleanup has f called at the end, the last one first.
func (s *stage) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// TempDir returns a new directory.
func (s *stage) TempDir() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs++
	dir := filepath.Join(s.dir, strconv.Itoa(s.dirs))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		panic(failure{err.Error()})
	}
	return dir
}

func (s *stage) end() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
}
