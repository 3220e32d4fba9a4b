package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/internal/history"
)

// tick is how often progress is told.
const tick = 100 * time.Millisecond

// A Locker runs fn while it holds the name, and tells it the fencing token. An error of ctx says that fn was not run.
type Locker interface {
	Hold(ctx context.Context, name string, fn func(token uint64) error) error
}

// Worker says what one worker process does.
type Worker struct {
	Process    string   // its name in the history
	Dir        string   // of the counters and the histories
	Prefix     string   // of the names in the store
	Names      int      // how many
	Goroutines int      // that contend
	Locks      Locker   // what is put to the test
	In         *os.File // the worker stops when this ends
	Out        io.Writer
}

// Work contends for the names until the input ends, and then returns when nothing is held any more. Every tick it writes a line to the
// output: the number of grants so far.
func Work(w Worker) (err error) {
	files, err := openCounters(w.Dir, w.Process, w.Names)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.close()) }()
	out, err := os.OpenFile(historyPath(w.Dir, w.Process), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, private)
	if err != nil {
		return err
	}
	defer out.Close()
	c := &crew{Worker: w, files: files, history: history.NewRecorder(out, w.Process)}
	return errors.Join(c.run(), c.history.Err())
}

// crew is the goroutines of one worker process, and what they share.
type crew struct {
	Worker
	files   *counters
	history *history.Recorder
	grants  atomic.Uint64
}

// run starts the goroutines and returns when all have ended. The tasks belong to an actor that only collects their results.
func (c *crew) run() error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, c.Goroutines) // room for all: the actor never waits
	collect := actor.NewOnDemand("demo worker",
		func(err error) { ended <- err },
		func(_ error, p *actor.PanicError) { ended <- p })
	for g := range c.Goroutines {
		collect.Go(func() error { return c.work(ctx, g) })
	}
	input := actor.NewOnDemand("demo input", func(error) { stop() }, func(error, *actor.PanicError) { stop() })
	input.Go(func() error {
		_, err := io.Copy(io.Discard, c.In)
		return err
	})

	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	var errs []error
	for working := c.Goroutines; working > 0; {
		select { // the order does not matter: a tick only tells
		case err := <-ended:
			working--
			if err != nil {
				errs = append(errs, err)
				stop()
			}
		case <-ticks.C:
			c.tell()
		}
	}
	c.tell()
	return errors.Join(errs...)
}

func (c *crew) tell() {
	if _, err := fmt.Fprintln(c.Out, c.grants.Load()); err != nil {
		c.In.Close() // nobody listens: end
	}
}

// work is one goroutine: it takes the names in turn.
func (c *crew) work(ctx context.Context, g int) error {
	holder := strconv.Itoa(g)
	for i := g; ; i++ {
		n := i % c.Names
		name := c.Prefix + strconv.Itoa(n)
		asked := history.Now()
		err := c.Locks.Hold(ctx, name, func(token uint64) error {
			hold := c.history.Granted(history.Grant{
				Name: name, Capacity: 1, Weight: 1, Token: token, Holder: holder, Asked: asked,
			})
			defer hold.Ended()
			c.grants.Add(1)
			if err := c.files.add(n, token); !errors.Is(err, ErrFenced) {
				return err
			}
			return nil // it did not count: the verdict will say so
		})
		switch {
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return nil
		case err != nil:
			return fmt.Errorf("goroutine %d, %s: %w", g, name, err)
		}
	}
}
