// Package lkgoose is a locker for goose v3: of many processes that migrate a database at once, one
// does, and the others wait for it.
//
//	locker, ctx, cancel := lkgoose.New(ctx, locks.Lock("migrate/shop"))
//	defer cancel()
//	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations, goose.WithLocker(locker))
//	…
//	results, err := provider.Up(ctx) // with the context that New has returned
//
// The same Locker works with goose.WithSessionLocker.
//
// Waiters take their turn as soon as it comes; the lockers of goose itself look every few seconds.
//
// # When the lock is lost
//
// A lease can be lost during a migration: it is broken, or its store is out of reach for longer than
// its time to live. Another process may migrate then. The context that [New] returns ends before
// that, with a *manager.LostError as its cause, and the *manager.LostError is among the errors of
// the provider. A migration in a transaction is rolled back.
//
// # When the store is out of reach
//
// Nothing is migrated without the lock. The error of the provider is manager.ErrUnavailable.
package lkgoose
