package memory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestRenewWithAnEndedContextAnswersEach(t *testing.T) {
	b := memory.New()
	g := try(t, b, mutex("db"))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	answers := b.Renew(done, []backends.Renewal{{Grant: g}, {Grant: g, Tokens: 5}})
	if len(answers) != 2 {
		t.Fatalf("%d answers", len(answers))
	}
	for _, a := range answers {
		if !errors.Is(a.Err, context.Canceled) || errors.Is(a.Err, backends.ErrLost) || a.Tokens != 0 {
			t.Errorf("Renew = %+v; want context.Canceled and no tokens", a)
		}
	}
	if a := b.Renew(t.Context(), []backends.Renewal{{Grant: g, Tokens: 5}})[0]; a.Err != nil || a.Token <= g.Token {
		t.Errorf("Renew = %+v", a)
	}
	release(t, b, g)
}
