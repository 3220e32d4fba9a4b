//go:build !unix

package files

import "github.com/lockkeeper/lockkeeper/bench/harness"

// raw is empty: there is no flock(2) here.
func raw(string) []harness.Side { return nil }

func rawChecks() []harness.Check { return nil }
