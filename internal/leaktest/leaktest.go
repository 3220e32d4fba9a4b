// Package leaktest fails a package's tests if they leave goroutines behind. It is
// goleak.VerifyTestMain for a busy machine: a goroutine that is about to end has half a minute for
// it instead of half a second.
package leaktest

import (
	"fmt"
	"os"
	"time"

	"go.uber.org/goleak"
)

const patience = 2 * time.Minute

// Main runs the tests and exits with their status, or with 1 if they passed and goroutines are
// left.
func Main(m goleak.TestingM, opts ...goleak.Option) {
	status := m.Run()
	if status == 0 {
		if err := find(patience, opts...); err != nil {
			fmt.Fprintln(os.Stderr, "leaktest:", err)
			status = 1
		}
	}
	os.Exit(status)
}

// find returns an error if goroutines are still left after d.
func find(d time.Duration, opts ...goleak.Option) error {
	end := time.Now().Add(d)
	for {
		err := goleak.Find(opts...)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}
