package store

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

// Open returns a client of the store, which its user closes, and what frees the rest afterwards. Errors of the store
// are those of package backends.
func Open(s Store) (backends.Backend, func(), error) {
	switch s.kind {
	case File:
		b, err := openFile(s)
		if err != nil {
			return nil, nil, err
		}
		return b, func() {}, nil
	case Redis:
		return openRedis(s)
	default:
		return nil, nil, fmt.Errorf("%w: none was named", ErrUnknown)
	}
}

// openFile opens a directory. Its errors name the directory.
func openFile(s Store) (*file.Backend, error) {
	if err := s.moved(); err != nil {
		return nil, err
	}
	b, err := file.New(s.dir)
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

func openRedis(s Store) (backends.Backend, func(), error) {
	opts, err := goredis.ParseURL(s.url)
	if err != nil || opts.DB < 0 {
		// The error may repeat a part of the URL, and so the password.
		return nil, nil, fmt.Errorf("%w: %v: the path must be the number of a database, and the query the client's options", ErrUnknown, s)
	}
	opts.ContextTimeoutEnabled = true // a wait that is over is over, whatever the network does
	goredis.SetLogger(silent{})
	client := goredis.NewClient(opts)
	b, err := redis.New(client)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("store %v: %w", s, err), client.Close())
	}
	return b, func() { _ = client.Close() }, nil
}

// silent drops what the client library would write to standard error, which is the command's. What matters comes as
// an error of the call that failed.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
