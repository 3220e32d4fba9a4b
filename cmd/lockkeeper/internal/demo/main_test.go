package demo

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/manager"
)

func TestMain(m *testing.M) {
	proctest.Register("worker", func(c *proctest.Child) error {
		kind, process, dir, prefix := c.Args[0], c.Args[1], c.Args[2], c.Args[3]
		names, err := strconv.Atoi(c.Args[4])
		if err != nil {
			return err
		}
		locks, done, err := lockers[kind](dir)
		if err != nil {
			return err
		}
		return errors.Join(Work(Worker{
			Process: process, Dir: dir, Prefix: prefix, Names: names, Goroutines: 4,
			Locks: locks, In: os.Stdin, Out: os.Stdout,
		}), done())
	})
	leaktest.Main(m)
}

// lockers are locks of all kinds, good and bad.
var lockers = map[string]func(dir string) (Locker, func() error, error){
	"good": good,
	// no lock at all
	"open": func(string) (Locker, func() error, error) {
		return hold(func(_ context.Context, _ string, fn func(uint64) error) error {
			return fn(uint64(history.Now()))
		}), func() error { return nil }, nil
	},
	// excludes goroutines, but not processes
	"local": func(string) (Locker, func() error, error) {
		var mu sync.Mutex
		return hold(func(_ context.Context, _ string, fn func(uint64) error) error {
			mu.Lock()
			defer mu.Unlock()
			return fn(uint64(history.Now()))
		}), func() error { return nil }, nil
	},
	// excludes, but gives out the same token for ever
	"constant": func(dir string) (Locker, func() error, error) {
		l, done, err := good(dir)
		return hold(func(ctx context.Context, name string, fn func(uint64) error) error {
			return l.Hold(ctx, name, func(uint64) error { return fn(1) })
		}), done, err
	},
	// lets one grant in fifty in beside the holder
	"leaky": func(dir string) (Locker, func() error, error) {
		l, done, err := good(dir)
		return hold(func(ctx context.Context, name string, fn func(uint64) error) error {
			if history.Now()%50 == 0 {
				return fn(uint64(history.Now()))
			}
			return l.Hold(ctx, name, fn)
		}), done, err
	},
}

type hold func(ctx context.Context, name string, fn func(token uint64) error) error

func (h hold) Hold(ctx context.Context, name string, fn func(token uint64) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return h(ctx, name, fn)
}

func good(dir string) (Locker, func() error, error) {
	b, err := file.New(dir + "/locks")
	if err != nil {
		return nil, nil, err
	}
	m, err := manager.New(b)
	if err != nil {
		return nil, nil, err
	}
	return hold(func(ctx context.Context, name string, fn func(uint64) error) error {
		lease, err := m.Lock(name).Acquire(ctx)
		if err != nil {
			return err
		}
		return errors.Join(fn(lease.Token()), lease.Release())
	}), func() error { return m.Close(context.Background()) }, nil
}

// silent is a screen that nobody looks at.
type silent struct{ scenes int }

func (*silent) Say(string)            {}
func (s *silent) Show(Scene)          { s.scenes++ }
func (*silent) Judge(*Verdict, Scene) {}
