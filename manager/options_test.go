package manager

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestOptionsOutsideTheirRangeAreRefused(t *testing.T) {
	store := memory.New()
	for name, opts := range map[string][]Option{
		"zero TTL":                {WithTTL(0)},
		"negative TTL":            {WithTTL(-time.Second)},
		"1 ns TTL":                {WithTTL(1)},
		"overflowing TTL":         {WithTTL(math.MaxInt64)},
		"negative margin":         {WithStopMargin(-1)},
		"margin for another TTL":  {WithTTL(time.Second), WithStopMargin(time.Second)},
		"overflowing margin":      {WithStopMargin(math.MaxInt64)},
		"negative minimum":        {WithMinHold(-1)},
		"large minimum":           {WithMinHold(9 * time.Second)},
		"margin plus minimum":     {WithStopMargin(3 * time.Second), WithMinHold(3 * time.Second)},
		"negative hold":           {WithMaxHold(-1)},
		"overflowing hold":        {WithMaxHold(math.MaxInt64)},
		"negative hand-offs":      {WithLocalHandoffs(-1, 0)},
		"many hand-offs":          {WithLocalHandoffs(math.MaxInt, 0)},
		"negative time":           {WithLocalHandoffs(1, -1)},
		"zero release timeout":    {WithReleaseTimeout(0)},
		"long label":              {WithLabel(strings.Repeat("x", 1025))},
		"no logger":               {WithLogger(nil)},
		"zero option":             {{}},
		"bad one after good ones": {WithTTL(time.Second), WithLabel("x"), WithMaxHold(-1)},
	} {
		m, err := New(store, opts...)
		var invalid *InvalidError
		if m != nil || !errors.As(err, &invalid) || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := New(nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("nil backend: got %v", err)
	}
	for _, opts := range [][]Option{
		nil,
		{WithTTL(100 * time.Millisecond)},
		{WithTTL(24 * time.Hour), WithStopMargin(8 * time.Hour), WithMinHold(0)},
		{WithStopMargin(0), WithMinHold(0), WithMaxHold(0), WithLocalHandoffs(0, 0)},
	} {
		if _, err := newConfig(opts); err != nil {
			t.Errorf("refused: %v", err)
		}
	}
	newManager(t, store) // untouched by all that
}

func TestLossesAreLoggedOutsideTheKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &slowHandler{}
		m := newManager(t, memory.New(), WithLogger(slog.New(h)))
		l := mustAcquire(t, m.Lock("db"))
		if err := m.Break(context.Background(), "db"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantLost(t, l.Release(), Broken) // while the handler sleeps
		wantFree(t, m.Lock("db"))
		sleep(time.Hour)
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.lines) != 1 || !strings.Contains(h.lines[0], "lost") {
			t.Errorf("log: %q", h.lines)
		}
	})
}

type slowHandler struct {
	mu    sync.Mutex
	lines []string
}

func (h *slowHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *slowHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *slowHandler) WithGroup(string) slog.Handler            { return h }

func (h *slowHandler) Handle(_ context.Context, r slog.Record) error {
	time.Sleep(time.Minute)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, r.Message)
	return nil
}

func TestPanicOfALogHandlerHarmsNobody(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		if err := m.Break(context.Background(), "db"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantLost(t, l.Release(), Broken)
		wantFree(t, m.Lock("db"))
	}, WithLogger(slog.New(panicHandler{&slowHandler{}})))
}

type panicHandler struct{ *slowHandler }

func (panicHandler) Handle(context.Context, slog.Record) error { panic("handler") }
