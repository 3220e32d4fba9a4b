package postgres

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Detach returns ErrUnsupported.
func (b *Backend) Detach(context.Context, backends.Detachment) error {
	return wrap("detach", "", backends.ErrUnsupported)
}

// Adopt returns ErrUnsupported.
func (b *Backend) Adopt(context.Context, backends.Adoption) (backends.Grant, error) {
	return backends.Grant{}, wrap("adopt", "", backends.ErrUnsupported)
}
