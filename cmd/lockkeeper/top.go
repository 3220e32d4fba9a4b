package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

type topCmd struct {
	view
	Every span `help:"How often to look." default:"1s" placeholder:"DURATION"`
}

// Run lists who holds and who waits, again and again, until it is interrupted.
func (c *topCmd) Run(s streams) exitCode {
	every := time.Duration(c.Every)
	if every <= 0 {
		s.warn("--every must be positive")
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := c.read(func(r store.Reader, _ store.Store, timeout time.Duration) error {
		rounds := time.NewTicker(every)
		defer rounds.Stop()
		for {
			states, err := c.states(ctx, r, timeout)
			if err == nil {
				err = c.show(s, states)
			}
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			select {
			case <-rounds.C:
			case <-ctx.Done(): // it does not matter which comes first: the next look would fail, and end this too
			}
		}
	})
	if err != nil {
		return s.fail(err)
	}
	return exitOK
}

// show writes a list with the time above it: in place of the last one on a terminal, else below it.
func (c *topCmd) show(s streams, states []backends.State) error {
	const home, wipe = "\x1b[H", "\x1b[2J"
	now := time.Now()
	if info, err := s.out.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprint(s.out, home+wipe)
	}
	held, waiting := 0, 0
	for _, state := range states {
		held += len(state.Holders)
		waiting += len(state.Waiters)
	}
	if _, err := fmt.Fprintf(s.out, "%s  %d names, %d held, %d waiting\n", now.Format(time.TimeOnly), len(states), held, waiting); err != nil {
		return printed(err)
	}
	return list(s.out, states, now)
}
