package actor

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestPanicError(t *testing.T) {
	err := newPanicError(errBroken)
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "broken") || len(err.Stack) == 0 {
		t.Errorf("%v", err)
	}
	if err := newPanicError("text"); errors.Unwrap(err) != nil || !strings.Contains(err.Error(), "text") {
		t.Errorf("%v", err)
	}
	if err := newPanicError(nil); !errors.Is(err, ErrNoReply) {
		t.Errorf("Goexit: %v", err)
	}
}

func TestContextErrorsKeepTheirCause(t *testing.T) {
	if err := ctxError(cancelledContext()); err != context.Canceled {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errBroken)
	if err := ctxError(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
}
