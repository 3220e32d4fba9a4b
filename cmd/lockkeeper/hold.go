package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/manager"
)

// keep holds the lease without a command (--hold), until a signal asks for its end.
func (r *runCmd) keep(s streams, lease *manager.Lease, link *command.Link) exitCode {
	written := command.Background("announce", func() error { return link.Announce(s.out, r.announcement(lease)) },
		func(err error) error { return err }) // standard output may be stuck; that must not hold up the end
	err := r.until(lease, link, written)
	released := lease.Release()
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

// until returns nil when a signal ends the hold, and else why it must end.
func (r *runCmd) until(lease *manager.Lease, link *command.Link, written <-chan error) error {
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
		case <-lease.Context().Done():
			return context.Cause(lease.Context())
		}
	}
}

// announcement says that the lock is held: a line for a script to wait for and to read.
func (r *runCmd) announcement(lease *manager.Lease) string {
	return fmt.Sprintf("held %d %s\n", lease.Token(), printable(r.Name))
}
