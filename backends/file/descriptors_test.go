//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// exhaustedLister is the helper that has no descriptor left but those of idle names, and lists.
func exhaustedLister(c *proctest.Child) error {
	ctx := context.Background()
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	b.timing.linger = time.Hour // only the lack of descriptors closes files
	held, err := backends.Acquire(ctx, b, mutex("held"))
	if err != nil {
		return err
	}
	for _, r := range requests("idle") {
		g, err := backends.Acquire(ctx, b, r)
		if err == nil {
			err = backends.Release(ctx, b, g)
		}
		if err != nil {
			return err
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	for err = nil; err == nil; {
		_, err = syscall.Open("/dev/null", syscall.O_RDONLY, 0)
	}
	if !lockdir.Exhausted(err) {
		return err
	}
	var names []string
	for state, err := range b.List(ctx) {
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		names = append(names, state.Resource.Name)
	}
	c.Say("%q", names)
	return errors.Join(backends.Release(ctx, b, held), b.Close(ctx))
}

func TestListTakesTheDescriptorsOfIdleNames(t *testing.T) {
	p := proctest.Start(t, "exhaustedLister", t.TempDir()+"/locks")
	p.Expect(`["held"]`)
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}
