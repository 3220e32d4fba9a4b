//go:build !unix

package command

import (
	"errors"
	"os"
	"os/signal"
)

// ErrUnsupported says that this system lacks what Run needs: process groups, SIGTERM and SIGKILL.
var ErrUnsupported = errors.New("running commands under a lock is not supported on this system")

// Notify returns the signals that end the wait for a lock, and a function that ends this.
func Notify() (sigs <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	return c, func() { signal.Stop(c) }
}

// SignalCode returns the exit status that says that a signal ended the work.
func SignalCode(os.Signal) int { return signalled + 2 }

// Stops reports whether a signal asks for a pause; there are none here.
func Stops(os.Signal) bool { return false }

// Pause does nothing here.
func Pause() {}

// Run returns a *StartError with ErrUnsupported.
func Run(c Command) (Result, error) {
	return Result{}, startError(c.Argv[0], ErrUnsupported)
}
