package manager

import (
	"context"
	"errors"
	"testing"
)

func TestErrorsNameTheResource(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		_, err := m.Lock("db").TryAcquire(context.Background())
		if !errors.Is(err, ErrBusy) || err.Error() != `acquire "db": busy` {
			t.Errorf("got %v", err)
		}
		mustRelease(t, l)
	})
}
