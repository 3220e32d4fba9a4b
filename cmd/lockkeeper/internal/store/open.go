package store

import (
	"context"
	"fmt"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Open returns a client of the store, which its user closes. Errors of the store are those of
// package backends.
func Open(s Store) (backends.Backend, error) {
	if err := s.moved(); err != nil {
		return nil, err
	}
	b, err := s.Address.Open(context.Background())
	if err != nil && s.own {
		err = noDefault(err)
	}
	return b, err
}

// moved returns an error if s is the default store and processes still use its former directory.
func (s Store) moved() error {
	if !s.own {
		return nil
	}
	dir, inUse := formerInUse()
	if !inUse {
		return nil
	}
	return noDefault(fmt.Errorf("%w: processes still use %s, the default store of earlier versions; wait until they have ended",
		backends.ErrUnavailable, dir))
}
