package lkcertmagic

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

func newStorage(t *testing.T, m *manager.Manager, dir string) *Storage {
	t.Helper()
	s, err := New(m, &certmagic.FileStorage{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// authority issues certificates, and counts them.
type authority struct {
	issued atomic.Int32
	during func(context.Context)
}

func (a *authority) IssuerKey() string { return "authority" }

func (a *authority) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	n := a.issued.Add(1)
	a.during(ctx)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(int64(n)), DNSNames: csr.DNSNames,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, csr.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &certmagic.IssuedCertificate{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

// obtain has certmagic obtain a certificate as a server of its own does.
func obtain(ctx context.Context, s certmagic.Storage, a *authority) error {
	var cfg *certmagic.Config
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return cfg, nil },
	})
	defer cache.Stop()
	cfg = certmagic.New(cache, certmagic.Config{Storage: s, Issuers: []certmagic.Issuer{a}})
	return cfg.ObtainCertSync(ctx, "example.com")
}

const lockName = "issue_cert_example.com"

func TestOfThreeServersOneObtainsACertificate(t *testing.T) {
	s, dir := server.Get(t), t.TempDir()
	prefix := s.Prefix()
	observer := managertest.Redis(t, s, prefix)
	a := &authority{during: func(ctx context.Context) {
		for { // until the others wait
			state, err := observer.Inspect(ctx, lockName)
			if err != nil || len(state.Waiters) == 2 {
				if err != nil || len(state.Holders) != 1 {
					t.Error(state, err)
				}
				return
			}
		}
	}}
	ended := make(chan error)
	for range 3 {
		storage := newStorage(t, managertest.Redis(t, s, prefix), dir)
		go func() { ended <- obtain(context.Background(), storage, a) }()
	}
	for range 3 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := a.issued.Load(); n != 1 {
		t.Errorf("%d certificates", n)
	}
}

func TestNoCertificateIsObtainedWhileTheStoreIsOutOfReach(t *testing.T) {
	s := redistest.Start(t)
	storage := newStorage(t, managertest.Redis(t, s, s.Prefix()), t.TempDir())
	s.Kill()
	a := &authority{during: func(context.Context) {}}
	err := obtain(t.Context(), storage, a)
	// certmagic keeps the text only.
	if err == nil || !strings.Contains(err.Error(), manager.ErrUnavailable.Error()) || a.issued.Load() != 0 {
		t.Error(err)
	}
	if ok, err := storage.TryLock(t.Context(), "a"); ok || !errors.Is(err, manager.ErrUnavailable) {
		t.Error(ok, err)
	}
}

func TestALockIsHeldUntilItsUnlock(t *testing.T) {
	m := managertest.Memory(t)
	a, b := newStorage(t, m, t.TempDir()), newStorage(t, m, t.TempDir())
	ctx := t.Context()
	if err := a.Lock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if ok, err := b.TryLock(ctx, "x"); ok || err != nil {
		t.Error(ok, err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := b.Lock(done, "x"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := a.RenewLockLease(ctx, "x", time.Hour); err != nil {
		t.Error(err)
	}
	if err := b.Unlock(ctx, "x"); !errors.Is(err, manager.ErrReleased) {
		t.Error(err)
	}
	if err := a.Unlock(ctx, "x"); err != nil {
		t.Error(err)
	}
	if err := a.RenewLockLease(ctx, "x", time.Hour); !errors.Is(err, manager.ErrReleased) {
		t.Error(err)
	}
	if ok, err := b.TryLock(ctx, "x"); !ok || err != nil {
		t.Error(ok, err)
	}
	if err := b.Unlock(ctx, "x"); err != nil || len(a.leases) != 0 || len(b.leases) != 0 {
		t.Error(err, a.leases, b.leases)
	}
}

// Whichever of the holders unlocks first, the lock stays held until both have.
func TestALossIsToldAndTheNextHolderKeepsTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managertest.Memory(t)
		s, ctx := newStorage(t, m, t.TempDir()), t.Context()
		if err := s.Lock(ctx, "x"); err != nil {
			t.Fatal(err)
		}
		if err := m.Break(ctx, "x"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := s.RenewLockLease(ctx, "x", 0); !errors.Is(err, manager.ErrLost) {
			t.Error(err)
		}
		if err := s.Lock(ctx, "x"); err != nil { // when the lost holder's time is up
			t.Fatal(err)
		}
		if err := s.RenewLockLease(ctx, "x", 0); err != nil {
			t.Error(err)
		}
		if err := s.Unlock(ctx, "x"); !errors.Is(err, manager.ErrLost) {
			t.Error(err)
		}
		if ok, err := s.TryLock(ctx, "x"); ok || err != nil {
			t.Error(ok, err)
		}
		if err := s.Unlock(ctx, "x"); err != nil {
			t.Error(err)
		}
		if ok, err := s.TryLock(ctx, "x"); !ok || err != nil {
			t.Error(ok, err)
		}
		if err := s.Unlock(ctx, "x"); err != nil {
			t.Error(err)
		}
	})
}

func TestBadArgumentsAreRefused(t *testing.T) {
	var none *certmagic.FileStorage
	for _, c := range []struct {
		m *manager.Manager
		s certmagic.Storage
	}{{managertest.Memory(t), none}, {nil, &certmagic.FileStorage{}}, {&manager.Manager{}, &certmagic.FileStorage{}}, {managertest.Memory(t), nil}} {
		if _, err := New(c.m, c.s); !errors.Is(err, manager.ErrInvalid) {
			t.Error(err)
		}
	}
}
