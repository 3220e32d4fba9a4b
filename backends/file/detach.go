package file

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Detach returns ErrUnsupported: the kernel frees a lock when the process that took it ends, so
// another process cannot continue it.
func (b *Backend) Detach(ctx context.Context, _ backends.Detachment) error {
	return b.unsupported(ctx, "detach")
}

// Adopt returns ErrUnsupported: see [Backend.Detach].
func (b *Backend) Adopt(ctx context.Context, _ backends.Adoption) (backends.Grant, error) {
	return backends.Grant{}, b.unsupported(ctx, "adopt")
}

func (b *Backend) unsupported(ctx context.Context, verb string) error {
	b.made()
	if err := backends.Ended(ctx); err != nil {
		return wrap(verb, "", err)
	}
	return wrap(verb, "", backends.ErrUnsupported)
}
