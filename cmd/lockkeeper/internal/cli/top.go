package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

type topCmd struct {
	view
	Every span `help:"How often to look." default:"1s" placeholder:"DURATION"`
}

// Help is shown by top --help.
func (*topCmd) Help() string {
	return "Names come sorted by trouble: first the longest wait, then the longest hold. Keys: q quits, ^Z suspends. " +
		"In a pipe, or if TERM is dumb, lists follow each other until ^C. NO_COLOR turns colours off."
}

// Run lists who holds and who waits, again and again, until it is told to end.
func (c *topCmd) Run(s streams) exitCode {
	if c.Every <= 0 {
		s.warn("--every must be positive")
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	err := c.read(func(r store.Reader, where store.Store, timeout time.Duration) error {
		t := &top{s: s, where: where, every: time.Duration(c.Every), see: func(ctx context.Context) sights {
			states, err := c.states(ctx, r, timeout)
			return sights{states, err, time.Now()}.trouble()
		}}
		t.last = t.see(ctx)
		if t.last.err != nil && len(t.last.states) == 0 {
			return t.last.err
		}
		if p := pageOf(s.out); p.escapes {
			return t.live(ctx, p.coloured())
		}
		return t.lists(ctx)
	})
	if err != nil && ctx.Err() == nil { // a look that a signal ended has not failed
		return s.fail(err)
	}
	return exitOK
}

// top shows what it sees.
type top struct {
	s     streams
	where store.Store
	every time.Duration
	see   func(ctx context.Context) sights // takes as long as the store
	last  sights
}

// lists writes one list below the other until ctx ends. An error ends it as well.
func (t *top) lists(ctx context.Context) error {
	rounds := time.NewTicker(t.every)
	defer rounds.Stop()
	for {
		if ctx.Err() != nil {
			return nil
		}
		text := t.last.title(t.where, "") + "\n" + t.last.list(pageOf(t.s.out))
		if _, wrote := io.WriteString(t.s.out, pageOf(t.s.out).fit(text)); t.last.err != nil || wrote != nil {
			return errors.Join(printed(wrote), t.last.err)
		}
		select {
		case <-rounds.C:
			t.last = t.see(ctx)
		case <-ctx.Done(): // it does not matter which comes first: the next look would fail, and end this too
		}
	}
}

// live has the terminal for itself until q is pressed or ctx ends. A look that fails is shown, and
// does not end it: the store may answer again.
func (t *top) live(ctx context.Context, colour bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a look that the store does not answer
	screen := &fullscreen{s: t.s, colour: colour}
	defer screen.leave() // after a panic too
	var keys <-chan byte
	enter := func() error {
		if keys == nil {
			keys = screen.key()
		}
		return screen.enter()
	}
	if err := enter(); err != nil {
		return err
	}
	resized, continued := heed(resizeSignals), heed(continueSignals)
	defer signal.Stop(resized)
	defer signal.Stop(continued)
	rounds := time.NewTicker(t.every)
	defer rounds.Stop()
	var look <-chan sights
	for {
		if err := t.draw(screen); err != nil {
			return err
		}
		select { // nothing here is lost by coming second
		case <-ctx.Done():
			return nil
		case key := <-keys:
			switch key {
			case 'q', 'Q', keyInterrupt, keyEnd, keyQuit:
				return nil
			case keySuspend:
				screen.leave()
				rounds.Reset(t.every) // a round that is due would take the terminal before the stop takes effect
				suspend()
				keys = nil // what is typed now is for the shell
				continue
			}
			keys = screen.key()
		case <-continued:
			if err := enter(); err != nil {
				return err
			}
		case <-resized:
		case t.last = <-look:
			look = nil
		case <-rounds.C:
			if !screen.on { // the stop had no effect
				if err := enter(); err != nil {
					return err
				}
			}
			if look == nil {
				look = t.look(ctx)
			}
		}
	}
}

// look sees beside the loop, so that keys work while the store does not answer.
func (t *top) look(ctx context.Context) <-chan sights {
	before := t.last.states
	return command.Background("look", func() sights {
		v := t.see(ctx)
		if v.err != nil && len(v.states) == 0 {
			v.states = before // with the time of the look that failed, and its error above
		}
		return v
	}, func(err error) sights { return sights{states: before, err: err, at: time.Now()} })
}

// draw shows what was seen last, unless the terminal is the shell's meanwhile.
func (t *top) draw(screen *fullscreen) error {
	if !screen.on {
		return nil
	}
	return screen.draw(t.last.lines(t.where, pageOf(t.s.out)))
}

// heed returns a channel of signals. It has room for one: they say only that there is something to
// do.
func heed(signals []os.Signal) chan os.Signal {
	c := make(chan os.Signal, 1)
	if len(signals) > 0 { // no signals would be all
		signal.Notify(c, signals...)
	}
	return c
}
