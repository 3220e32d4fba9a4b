//go:build unix

package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

const rawFlock = "flock(2), file kept open"

// raw are the sides that make the bare system calls: the least that a kernel lock can cost.
func raw(dir string) []harness.Side {
	return []harness.Side{{Name: rawFlock, Run: harness.Loop(func(_ context.Context, n int) (err error) {
		f, err := os.OpenFile(filepath.Join(dir, "raw"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		fd := int(f.Fd())
		for range n {
			if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
				return err
			}
			if err := syscall.Flock(fd, syscall.LOCK_UN); err != nil {
				return err
			}
		}
		return nil
	})}}
}

// rawChecks shows what name, token, queue and lease cost above that. It is no target: a bare lock has none of them.
func rawChecks() []harness.Check {
	return []harness.Check{{What: "Acquire + Release, beside the bare system calls", Metric: "ns/op", Ours: ours, Base: []string{rawFlock}, NoTarget: true}}
}
