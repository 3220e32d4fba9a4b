package lkcertmagic

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lockkeeper/lockkeeper/internal/nils"
	"github.com/lockkeeper/lockkeeper/manager"
)

// A Storage is a certmagic.Storage with other locks. Make it with New. It is safe for concurrent
// use.
type Storage struct {
	certmagic.Storage // of everything but locks
	m                 *manager.Manager
	opts              []manager.AcquireOption

	mu     sync.Mutex                  // held for a few instructions, never while waiting
	leases map[string][]*manager.Lease // by name, the oldest first
}

var (
	_ certmagic.Storage          = (*Storage)(nil)
	_ certmagic.TryLocker        = (*Storage)(nil)
	_ certmagic.LockLeaseRenewer = (*Storage)(nil)
)

// New returns the storage beneath with the locks of m. A lock has the name that certmagic gives it,
// and is acquired with opts. The error is a *manager.InvalidError: an argument is nil or zero.
func New(m *manager.Manager, beneath certmagic.Storage, opts ...manager.AcquireOption) (*Storage, error) {
	switch {
	case m == nil || m.Stats().Time.IsZero():
		return nil, &manager.InvalidError{Field: "manager", Value: "zero", Want: "one made by New"}
	case nils.Is(beneath):
		return nil, &manager.InvalidError{Field: "storage", Value: nil, Want: "not nil"}
	}
	return &Storage{Storage: beneath, m: m, opts: opts, leases: make(map[string][]*manager.Lease)}, nil
}

// Lock waits for the lock, as long as ctx lasts, first come, first served. The error is that of
// [manager.Claim.Acquire].
func (s *Storage) Lock(ctx context.Context, name string) error {
	l, err := s.m.Lock(name).Acquire(ctx, s.opts...)
	if err != nil {
		return err
	}
	s.add(l)
	return nil
}

// TryLock is Lock for a caller that does not want to wait: it returns false if the lock is held.
func (s *Storage) TryLock(ctx context.Context, name string) (bool, error) {
	l, err := s.m.Lock(name).TryAcquire(ctx, s.opts...)
	switch {
	case errors.Is(err, manager.ErrBusy):
		return false, nil
	case err != nil:
		return false, err
	}
	s.add(l)
	return true, nil
}

func (s *Storage) add(l *manager.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases[l.Name()] = append(s.leases[l.Name()], l)
}

// Unlock releases the lock. The error is a *manager.LostError if the lock was lost before, and
// manager.ErrReleased if it is not held.
func (s *Storage) Unlock(_ context.Context, name string) error {
	l := s.take(name)
	if l == nil {
		return manager.ErrReleased
	}
	return l.Release()
}

// take removes the oldest lease of the name, nil if there is none. There is more than one only if
// the lock was lost and acquired anew before the first holder has unlocked it. An Unlock does not
// say whose it is, so the second holder's may release the lost lease. The lock is held then until
// the first holder unlocks: for longer than needed, never for too short a time.
func (s *Storage) take(name string) *manager.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.leases[name]
	switch len(all) {
	case 0:
		return nil
	case 1:
		delete(s.leases, name)
	default:
		s.leases[name] = all[1:]
	}
	return all[0]
}

// RenewLockLease says whether the lock is still held: the error is a *manager.LostError if it was
// lost, and manager.ErrReleased if it is not held. The manager renews the lease by itself, so the
// duration does not matter.
func (s *Storage) RenewLockLease(_ context.Context, name string, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.leases[name]
	if len(all) == 0 {
		return manager.ErrReleased
	}
	return all[len(all)-1].Err()
}
