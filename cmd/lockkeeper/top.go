package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
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
	err := c.read(func(r store.Reader, where store.Store, timeout time.Duration) error {
		rounds := time.NewTicker(every)
		defer rounds.Stop()
		for {
			states, err := c.states(ctx, r, timeout)
			if err == nil {
				err = c.show(s, where, states)
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

// show writes a list with the time above it.
func (c *topCmd) show(s streams, where store.Store, states []backends.State) error {
	now := time.Now()
	held, waiting := 0, 0
	for _, state := range states {
		held += len(state.Holders)
		waiting += len(state.Waiters)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %d names, %d held, %d waiting  %v\n", now.Format(time.TimeOnly), len(states), held, waiting, where)
	if err := list(&text, states, now); err != nil {
		return err
	}
	_, err := io.WriteString(s.out, pageOf(s.out).draw(text.String()))
	return printed(err)
}

// draw returns what shows the lines of a text: all of them where there is no terminal; on a terminal
// as many as it has lines, each cut to its width, and in place of the last ones if it can.
func (p page) draw(text string) string {
	const home, eraseLine, eraseBelow = "\x1b[H", "\x1b[K", "\x1b[J"
	if p.height == 0 {
		return text
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if room := max(p.height-1, 1); len(lines) > room { // the cursor takes the last line
		more := len(lines) - max(room-1, 1)
		lines = append(lines[:len(lines)-more], fmt.Sprintf("… and %d lines more", more))[:room]
	}
	for i, line := range lines {
		if letters := []rune(line); len(letters) > p.width {
			lines[i] = string(letters[:p.width])
		}
		if p.escapes {
			lines[i] += eraseLine
		}
	}
	drawn := strings.Join(lines, "\n") + "\n"
	if p.escapes {
		return home + drawn + eraseBelow
	}
	return drawn
}
