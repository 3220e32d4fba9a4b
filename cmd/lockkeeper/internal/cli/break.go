package cli

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

type breakCmd struct {
	Store string   `help:"${store}" env:"LOCKKEEPER_STORE" placeholder:"STORE"`
	Names []string `arg:"" name:"name" help:"Whose holders are to lose them."`
}

// Run ends what is held of the names, and lists what that was.
func (c *breakCmd) Run(s streams) exitCode {
	v := view{Store: c.Store, Names: c.Names}
	err := v.look(func(b backends.Backend, timeout time.Duration) error {
		was, err := v.states(context.Background(), b, timeout)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		var failed []error
		for i := range was {
			was[i].Waiters = nil // they go on waiting
			failed = append(failed, unanswered(b.Break(ctx, was[i].Resource.Name), timeout))
		}
		return errors.Join(append(failed, list(s.out, was, time.Now(), pageOf(s.out).shown()))...)
	})
	if err != nil {
		return s.fail(err)
	}
	return exitOK
}
