//go:build unix

package cli

import (
	"errors"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
)

// A store that hangs while it opens, as a directory on a server that is down, does not keep the
// process from ending.
func TestASignalEndsAnOpeningThatHangs(t *testing.T) {
	hangs := make(chan struct{})
	defer close(hangs)
	prepare := func() opened {
		<-hangs
		return opened{}
	}
	sigs := make(chan command.Signal, 1)
	sigs <- command.Signal{Signal: syscall.SIGTERM}
	_, sig, err := opening(&command.Link{Sigs: sigs}, prepare)
	if err != nil || sig == nil || sig.Signal != syscall.SIGTERM {
		t.Errorf("%v, %v; want SIGTERM", sig, err)
	}
	gone := make(chan struct{})
	close(gone)
	if _, sig, err = opening(&command.Link{Gone: gone}, prepare); sig != nil || !errors.Is(err, errFrontDied) {
		t.Errorf("%v, %v; want %v", sig, err, errFrontDied)
	}
	broken := errors.New("broken")
	if _, sig, err = opening(&command.Link{}, func() opened { return opened{err: broken} }); sig != nil || err != broken {
		t.Errorf("%v, %v; want %v", sig, err, broken)
	}
	if _, _, err = opening(nil, func() opened { panic("oh") }); err == nil {
		t.Error("a panic is no error")
	}
}
