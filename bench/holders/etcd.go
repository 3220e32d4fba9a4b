package holders

import (
	"context"
	"errors"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/zap"
)

type etcdLocker struct {
	c    *clientv3.Client
	spec Spec

	mu   sync.Mutex // guards idle
	idle []*concurrency.Session
}

func openEtcd(s Spec) (Locker, error) {
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{s.Store}, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, err
	}
	return &etcdLocker{c: c, spec: s}, nil
}

// session returns one that no other goroutine uses: all users of a session share its locks.
func (e *etcdLocker) session() (*concurrency.Session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for n := len(e.idle); n > 0; n = len(e.idle) {
		s := e.idle[n-1]
		e.idle = e.idle[:n-1]
		select {
		case <-s.Done():
		default:
			return s, nil
		}
	}
	return concurrency.NewSession(e.c, concurrency.WithTTL(int(e.spec.TTL.Seconds())))
}

func (e *etcdLocker) putBack(s *concurrency.Session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.idle = append(e.idle, s)
}

func (e *etcdLocker) Acquire(ctx context.Context) (Lease, error) {
	s, err := e.session()
	if err != nil {
		return nil, err
	}
	m := concurrency.NewMutex(s, "/"+e.spec.Name)
	if err := m.Lock(ctx); err != nil { // it may have left its key, which ends with the session
		return nil, errors.Join(err, s.Close())
	}
	return &etcdLease{e, s, m}, nil
}

func (e *etcdLocker) Close() error {
	var errs []error
	for _, s := range e.idle {
		select {
		case <-s.Done(): // its lease is gone, or ends by itself
		default:
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(append(errs, e.c.Close())...)
}

type etcdLease struct {
	e *etcdLocker
	s *concurrency.Session
	m *concurrency.Mutex
}

func (l *etcdLease) Valid() bool {
	select {
	case <-l.s.Done():
		return false
	default:
		return true
	}
}

// Token returns the revision of the grant.
func (l *etcdLease) Token() uint64 { return uint64(l.m.Header().Revision) } //nolint:gosec // never negative

func (l *etcdLease) Release() error {
	err := l.m.Unlock(context.Background())
	l.e.putBack(l.s)
	return err
}
