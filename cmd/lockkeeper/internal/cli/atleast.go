package cli

import (
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

// options returns those of the acquire. With --at-least the store keeps the locks, however this
// process ends. A lock that an enclosing run holds is not acquired, so its time is the outer one's.
func (r *runCmd) options() []manager.AcquireOption {
	if r.AtLeast == nil {
		return nil
	}
	return []manager.AcquireOption{manager.HoldAtLeast(time.Duration(*r.AtLeast))}
}
