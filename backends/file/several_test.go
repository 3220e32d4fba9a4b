//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// full is the helper that does an operation over "a" and "b" whose second table is longer than its
// files may be.
func full(c *proctest.Child) error {
	signal.Ignore(syscall.SIGXFSZ)
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	const most = 2 * lockdir.Page
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		return err
	}
	answers := make(chan error, 2)
	op := &backends.Op{Acquire: []backends.Request{mutex("b"), mutex("a")}, Wait: true, Granted: func(_ int, _ backends.Grant, err error) {
		answers <- err
	}}
	if work := b.Start(op); work != nil {
		work(context.Background())
	}
	for range 2 {
		if err := <-answers; !errors.Is(err, backends.ErrUnavailable) || !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("a request: %w; want ErrUnavailable and EFBIG", err)
		}
	}
	c.Say("refused")
	c.Listen()
	return nil
}

// An operation of which a table cannot be written leaves nothing in those that can.
func TestTableOfAnOperationThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	g := mustAcquire(t, b, mutex("b"))
	var queue []*task
	for range 100 {
		queue = append(queue, begin(b, backends.Op{Acquire: []backends.Request{mutex("b")}, Wait: true}).run(patient(t)))
	}
	p := proctest.Start(t, "full", dir)
	p.Expect("refused")
	mustRelease(t, b, mustAcquire(t, b, mutex("a")))
	mustRelease(t, b, g)
	for _, o := range queue {
		mustRelease(t, b, o.grants(t)[0])
	}
	p.Say("end")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// many is the helper that asks for more names than it has descriptors.
func many(c *proctest.Child) error {
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	for _, wait := range []bool{true, false, true} {
		answers := make(chan error, 100)
		op := &backends.Op{Wait: wait, Granted: func(_ int, _ backends.Grant, err error) { answers <- err }}
		for i := range cap(answers) {
			op.Acquire = append(op.Acquire, mutex(fmt.Sprint(i)))
		}
		if work := b.Start(op); work != nil {
			work(context.Background())
		}
		for range op.Acquire {
			if err := <-answers; !errors.Is(err, backends.ErrUnavailable) || !errors.Is(err, syscall.EMFILE) {
				return fmt.Errorf("a request: %w; want ErrUnavailable and EMFILE", err)
			}
		}
	}
	c.Say("refused")
	c.Listen()
	g, err := backends.Acquire(context.Background(), b, mutex("0"))
	if err != nil {
		return err
	}
	return errors.Join(backends.Release(context.Background(), b, g), b.Close(context.Background()))
}

func TestNoDescriptorsForManyNames(t *testing.T) {
	dir := t.TempDir() + "/locks"
	p := proctest.Start(t, "many", dir)
	p.Expect("refused")
	b := sleepless(t, dir)
	for i := range 100 {
		if s, err := b.Inspect(patient(t), fmt.Sprint(i)); err != nil || s.Resource.Kind != 0 {
			t.Fatalf("name %d after all were refused: %+v, %v; want nobody", i, s, err)
		}
	}
	op := backends.Op{Wait: false}
	for i := range 100 {
		op.Acquire = append(op.Acquire, mutex(fmt.Sprint(i)))
	}
	for _, g := range begin(b, op).run(patient(t)).grants(t) {
		mustRelease(t, b, g)
	}
	p.Say("go on")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}
