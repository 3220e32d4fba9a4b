package open_test

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/apitest"
	"github.com/lockkeeper/lockkeeper/open"
)

// TestMisuse has a row for every exported function.
func TestMisuse(t *testing.T) {
	var none context.Context
	bg := context.Background()
	opener := func(context.Context, string) (backends.Backend, error) { return nil, nil }
	register := func(scheme string, o open.Opener) func() any {
		return func() any { open.Register(scheme, o); return nil }
	}
	fails := func(f func() (backends.Backend, error)) func() any {
		return func() any { _, err := f(); return err }
	}
	row := func(name, which string, call func() any, want string) apitest.Row {
		return apitest.Row{Name: name, Case: which, Call: call, Want: want}
	}
	apitest.Run(t, []apitest.Row{
		row("Store", "nothing", fails(func() (backends.Backend, error) { return open.Store(bg, "") }), "error: unknown store: no scheme"),
		row("Store", "nil context", fails(func() (backends.Backend, error) { return open.Store(none, "memory:") }),
			"error: invalid context <nil>: want not nil"),
		row("Store", "zero option", fails(func() (backends.Backend, error) { return open.Store(bg, "memory:", open.Option{}) }),
			`error: invalid option "zero": want one made by a With function`),
		row("Parse", "no scheme", func() any { _, err := open.Parse("locks"); return err }, "error: unknown store: no scheme"),
		row("Address.Open", "zero", fails(func() (backends.Backend, error) { return open.Address{}.Open(bg) }),
			`error: invalid address "zero": want one made by Parse`),
		row("Address.String", "zero", func() any { return open.Address{}.String() }, ""),
		row("Address.Scheme", "zero", func() any { return open.Address{}.Scheme() }, ""),
		row("Address.Dir", "zero", func() any { return open.Address{}.Dir() }, ""),
		row("Register", "nil opener", register("x-nil", nil), "panic: open: Register of x-nil with a nil Opener"),
		row("Register", "own scheme", register("redis", opener), "panic: open: Register of redis: a scheme of this module"),
		row("Register", "no scheme", register("", opener), "panic: open: Register of : not a scheme in lower case"),
		row("Register", "a drive", register("c", opener), "panic: open: Register of c: not a scheme in lower case"),
		row("Register", "upper case", register("Etcd", opener), "panic: open: Register of Etcd: not a scheme in lower case"),
		row("SchemeError.Error", "zero", func() any { return new(open.SchemeError).Error() }, "unknown store: no scheme"),
		row("SchemeError.Is", "nil", func() any { return new(open.SchemeError).Is(nil) }, "false"),
		row("WithClientLog", "nil", fails(func() (backends.Backend, error) {
			return open.Store(bg, "memory:", open.WithClientLog(nil))
		}), "<nil>"),
	}, nil)
}
