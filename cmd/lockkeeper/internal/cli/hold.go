package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/manager"
)

// keep holds the lease without a command (--hold), until a signal asks for its end.
func (r *runCmd) keep(s streams, held *grant, link *command.Link) exitCode {
	written := command.Background("announce", func() error { return link.Announce(s.out, announcement(held)) },
		func(err error) error { return err }) // standard output may be stuck; that must not hold up the end
	err := end(held, link, written)
	released := held.release()
	switch {
	case errors.Is(released, manager.ErrLost):
		return s.fail(released)
	case err != nil:
		return s.fail(errors.Join(err, released))
	case released != nil:
		s.warn("%v (the store frees the lock by itself)", released)
	}
	return exitOK
}

// end waits for the end of a hold. It returns nil when a signal ends it, and else why it must end.
func end(held *grant, link *command.Link, written <-chan error) error {
	for {
		select { // whatever comes first ends the hold; the release tells of a loss in any case
		case err := <-written:
			if err != nil {
				return printed(err)
			}
		case sig := <-link.Sigs:
			if sig.AsksForTheEnd() {
				return nil
			}
		case <-link.Gone:
			return errFrontDied
		case <-held.lost():
			return held.lease.Err()
		}
	}
}

// announcement says what is held: a line for each name, for a script to wait for and to read.
func announcement(held *grant) string {
	var b strings.Builder
	for _, l := range held.locks {
		fmt.Fprintf(&b, "held %d %s\n", l.token, printable(l.name))
	}
	return b.String()
}
