package open_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/open"
)

// scheme returns one that no test has registered yet: with -count a test runs again.
func scheme() string { return fmt.Sprintf("x-%d", registered.Add(1)) }

var registered atomic.Int64

func TestARegisteredSchemeIsOpenedWithTheWholeText(t *testing.T) {
	var got string
	name := scheme()
	open.Register(name, func(_ context.Context, url string) (backends.Backend, error) {
		got = url
		return memory.New(), nil
	})
	text := name + "://user:secret@host:1/space?password=secret"
	opened(t, text)
	if got != text {
		t.Errorf("the opener got %q", got)
	}
	for text, want := range map[string]string{
		text:                           name + "://host:1/space",
		name + ":secret":               name + ":",
		name + "://x-y://:secret@host": name + "://x-y:",
	} {
		if a, err := open.Parse(text); err != nil || a.String() != want || a.Scheme() != name {
			t.Errorf("Parse(%q) = %v, %v; want %s", text, a, err, want)
		}
	}
	_, err := open.Parse("other:")
	var unknown *open.SchemeError
	if !errors.As(err, &unknown) || !slices.Contains(unknown.Known, name) {
		t.Errorf("%v does not list the scheme", err)
	}
}

func TestAnErrorOfAnOpenerIsTheErrorOfStore(t *testing.T) {
	want, name := errors.New("own"), scheme()
	open.Register(name, func(context.Context, string) (backends.Backend, error) { return nil, want })
	if _, err := open.Store(t.Context(), name+":"); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

func TestAnOpenerThatReturnsNoStoreIsRefused(t *testing.T) {
	var none *memory.Backend
	for _, b := range []backends.Backend{nil, none} {
		name := scheme()
		open.Register(name, func(context.Context, string) (backends.Backend, error) { return b, nil })
		if got, err := open.Store(t.Context(), name+":"); got != nil || !errors.Is(err, backends.ErrInvalid) {
			t.Errorf("%T: got %v, %v", b, got, err)
		}
	}
}

func TestOnlyOneOfManyRegistersAScheme(t *testing.T) {
	var panics sync.Map
	name := scheme()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					panics.Store(i, fmt.Sprint(v))
				}
			}()
			open.Register(name, func(context.Context, string) (backends.Backend, error) { return nil, nil })
		})
	}
	wg.Wait()
	n := 0
	panics.Range(func(any, any) bool { n++; return true })
	if n != 7 {
		t.Errorf("%d of 8 were refused, want 7", n)
	}
}
