//go:build !unix

package command

import (
	"errors"
	"os"
)

// ErrUnsupported says that this system lacks what Run needs: process groups, SIGTERM and SIGKILL.
var ErrUnsupported = errors.New("running commands under a lock is not supported on this system")

// A Signal is one that ends the wait for a lock.
type Signal struct{ os.Signal }

// Link is a holder's link to its front. There are none here.
type Link struct {
	Sigs <-chan Signal
	Gone <-chan struct{}
}

// Attach returns nil.
func Attach() *Link { return nil }

// InBackground is never called.
func (*Link) InBackground() bool { return false }

// Ready is never called.
func (*Link) Ready() <-chan struct{} { return nil }

// Write is never called.
func (*Link) Write(text []byte) (int, error) { return len(text), nil }

// Front returns a *StartError with ErrUnsupported.
func Front(args []string, _ [3]*os.File, _ int) (int, error) {
	return 0, startError("lockkeeper", ErrUnsupported)
}

// Announce is never called.
func (*Link) Announce(*os.File, string) error { return nil }

// AsksForTheEnd is never called.
func (Signal) AsksForTheEnd() bool { return false }

// SignalCode returns the exit status that says that a signal ended the work.
func SignalCode(os.Signal) int { return signalled + 2 }

// Run returns a *StartError with ErrUnsupported.
func Run(c Command) (Result, error) {
	return Result{}, startError(c.Argv[0], ErrUnsupported)
}
