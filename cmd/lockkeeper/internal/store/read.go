package store

import (
	"context"
	"iter"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
)

// A Reader returns holders and waiters. Every backend is one.
type Reader interface {
	Inspect(ctx context.Context, name string) (backends.State, error)
	List(ctx context.Context) iter.Seq2[backends.State, error]
}

// Read returns a reader of the store, and a function that closes the reader. The reader needs no
// right to write to a directory. A directory that does not exist is not made; it has no holders and
// no waiters.
func Read(s Store) (Reader, func(context.Context), error) {
	if s.InDirectory() {
		if err := s.moved(); err != nil {
			return nil, nil, err
		}
		return directory(s.Dir()), func(context.Context) {}, nil
	}
	b, err := Open(s)
	if err != nil {
		return nil, nil, err
	}
	return b, func(ctx context.Context) { _ = b.Close(ctx) }, nil // it holds nothing
}

// directory is a lock directory that is only read.
type directory string

func (d directory) Inspect(ctx context.Context, name string) (backends.State, error) {
	return file.Inspect(ctx, string(d), name)
}

func (d directory) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return file.List(ctx, string(d))
}
