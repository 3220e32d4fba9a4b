package store

import (
	"context"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
)

// Check looks whether the store is fit for locks, and changes nothing. A directory need not be one that [Open] would take. In a
// directory, names count as out of use when nobody has used them for as long as idle.
func Check(ctx context.Context, s Store, idle time.Duration) ([]backends.Finding, error) {
	if s.InDirectory() {
		found, err := file.Check(ctx, s.Dir(), idle)
		return append(former(s), found...), err
	}
	b, err := Open(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.Close(ctx) }() // it holds nothing
	c, ok := b.(backends.Checker)
	if !ok {
		return nil, fmt.Errorf("check store %v: %w", s, backends.ErrUnsupported)
	}
	return c.Check(ctx)
}

// Repair is Check, and mends what it can without harm to anybody who uses the store now. It returns what it has
// mended and what is left. Only directories can be repaired, else the error wraps ErrRefused.
func Repair(ctx context.Context, s Store, idle time.Duration) (mended, left []backends.Finding, err error) {
	if !s.InDirectory() {
		return nil, nil, fmt.Errorf("%w: --repair is for directories; %v is mended at its server", ErrRefused, s)
	}
	mended, left, err = file.Repair(ctx, s.Dir(), idle)
	return mended, append(former(s), left...), err
}

// former finds processes that still use the default store of earlier versions.
func former(s Store) []backends.Finding {
	dir, inUse := formerInUse()
	if !s.own || !inUse {
		return nil
	}
	return []backends.Finding{{
		Level: backends.Failure, Topic: "default store", What: fmt.Sprintf("processes still use %s, the default store of earlier versions", dir),
		Means: "they and the users of the new default store do not exclude each other, so the new one is refused",
		Mend:  "wait until they have ended; LOCKKEEPER_STORE=file:" + dir + " lockkeeper ls lists them",
	}}
}
