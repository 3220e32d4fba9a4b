package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/nils"
)

// Lease is what [Fence] needs of a lease; a *manager.Lease is one.
type Lease interface {
	Name() string
	Token() uint64
}

// Fence checks a lease within a transaction of the caller's, in the database that has the locks. When
// it returns nil the lease is held, and no grant that excludes it is made before the transaction
// has ended. So two transactions that are fenced with successive leases of a name never overlap,
// whatever the clocks do and however long the first one was stopped. Call it before the transaction
// does what the lock protects, or at its end: what matters is that the commit comes after it.
//
// An error that wraps [backends.ErrLost] says that the lease has ended. After any error the
// transaction can only be rolled back. Under repeatable read and serializable, the transaction must
// have begun after the acquire, and may fail with a serialization error, as any transaction may.
//
// It costs one round trip, and a lock on one row, which keeps no renewal waiting. A transaction that
// stays open delays the next holder for as long as that, even after a release, and nobody else. A
// process may hand one grant from lease to lease (see manager.WithLocalHandoffs): between leases of
// one grant the keeper of the process excludes, and Fence does not. It cannot protect against the
// loss of committed transactions by a failover.
//
// Of the options it uses [WithSchema] only. The user of the transaction needs the rights that doc.go
// says.
func Fence(ctx context.Context, tx pgx.Tx, l Lease, opts ...Option) error {
	if err := fencing(ctx, tx, l); err != nil {
		return wrap("fence", "", err)
	}
	o, err := newOptions(opts)
	if err != nil {
		return wrap("fence", l.Name(), err)
	}
	_, err = tx.Exec(ctx, "SELECT "+o.schema+".check($1,$2)", []byte(l.Name()), int64(l.Token()))
	if said := stateOf(err); said != nil && said.Code == stateNotHeld {
		err = &backends.LostError{Name: l.Name(), Token: l.Token(), Reason: backends.NotOwner}
	}
	return wrap("fence", l.Name(), err)
}

// fencing returns an error if an argument of Fence is nil. A nil *manager.Lease is a lease that was
// released.
func fencing(ctx context.Context, tx pgx.Tx, l Lease) error {
	switch {
	case nils.Is(tx):
		return &backends.InvalidError{Field: "transaction", Value: nil, Want: "not nil"}
	case l == nil:
		return &backends.InvalidError{Field: "lease", Value: nil, Want: "not nil"}
	}
	return backends.CheckContext(ctx)
}
