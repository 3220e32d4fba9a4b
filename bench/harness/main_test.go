package harness

import (
	"context"
	"errors"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) {
	Dispatch(map[string]Part{"echo": echo, "fail": fail})
	leaktest.Main(m)
}

// echo sends its arguments back, and then every order, until its parent lets go.
func echo(ctx context.Context, p *Pipe) error {
	for {
		var s string
		if err := p.Receive(ctx, &s); err != nil {
			return err
		}
		if err := p.Send(s); err != nil {
			return err
		}
	}
}

func fail(context.Context, *Pipe) error { return errors.New("failed on purpose") }
