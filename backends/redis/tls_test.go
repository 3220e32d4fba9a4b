package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// certify writes a certificate for the loopback address, which vouches for itself, and its key; it returns the files
// and what trusts it.
func certify(t testing.TB, until time.Time) (cert, key string, trust *x509.CertPool) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	like := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, like, like, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trust = x509.NewCertPool()
	trust.AddCert(parsed)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: raw},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, trust
}

func encrypted(t testing.TB, addr string, trust *x509.CertPool) *goredis.Client {
	c := goredis.NewClient(&goredis.Options{Addr: addr, TLSConfig: &tls.Config{RootCAs: trust}})
	t.Cleanup(func() { c.Close() })
	return c
}

func TestLocksOverTLS(t *testing.T) {
	t.Parallel()
	cert, key, trust := certify(t, time.Now().Add(time.Hour))
	s := redistest.StartTLS(t, cert, key)
	b := newBed(t, s)
	b.client = encrypted(t, s.Addr, trust)
	a, c := b.open(), b.open(redis.WithHeartbeat(time.Minute)) // only the inbox brings the grant
	g := b.acquire(a, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	if r := b.renew(a, g, time.Minute); r.Err != nil {
		t.Errorf("Renew: %v", r.Err)
	}
	b.release(a, g)
	b.release(c, w.granted())
}

// A server that cannot be trusted is not used: no request is sent, in clear or otherwise, and few attempts are made.
func TestServerThatCannotBeTrustedIsUnavailable(t *testing.T) {
	t.Parallel()
	_, _, stranger := certify(t, time.Now().Add(time.Hour))
	cert, key, _ := certify(t, time.Now().Add(time.Hour))
	good := redistest.StartTLS(t, cert, key)
	oldCert, oldKey, oldTrust := certify(t, time.Now().Add(-time.Hour))
	expired := redistest.StartTLS(t, oldCert, oldKey)
	plain := redistest.Start(t)
	for what, c := range map[string]struct {
		server *redistest.Server
		trust  *x509.CertPool
	}{
		"a certificate of somebody else": {good, stranger},
		"an expired certificate":         {expired, oldTrust},
		"a server that does not encrypt": {plain, stranger},
	} {
		t.Run(what, func(t *testing.T) {
			p := c.server.NewProxy(t)
			var hellos, requests atomic.Int64
			p.Judge(func(b []byte) redistest.Verdict {
				h, r := records(b)
				hellos.Add(h)
				requests.Add(r)
				return redistest.Pass
			})
			b := newBed(t, c.server)
			_, err := backends.TryAcquire(b.ctx, open(t, encrypted(t, p.Addr, c.trust)), mutex("n", time.Minute))
			if !errors.Is(err, backends.ErrUnavailable) {
				t.Errorf("TryAcquire: %v, want ErrUnavailable", err)
			}
			const most = 20 // each of two commands may be tried a few times
			if n := hellos.Load(); n > most || requests.Load() > 0 {
				t.Errorf("%d handshakes and %d requests, want at most %d and none", n, requests.Load(), most)
			}
		})
	}
	t.Run("a client that does not encrypt", func(t *testing.T) {
		b := newBed(t, good)
		if _, err := backends.TryAcquire(b.ctx, b.open(), mutex("n", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("TryAcquire: %v, want ErrUnavailable", err)
		}
	})
}

// A server that wants to know its clients takes one with a certificate, and is unavailable to others.
func TestServerThatWantsACertificateOfItsClients(t *testing.T) {
	t.Parallel()
	cert, key, trust := certify(t, time.Now().Add(time.Hour))
	s := redistest.StartMutualTLS(t, cert, key)
	b := newBed(t, s)
	if _, err := backends.TryAcquire(b.ctx, open(t, encrypted(t, s.Addr, trust)), mutex("n", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("TryAcquire without a certificate: %v, want ErrUnavailable", err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	known := goredis.NewClient(&goredis.Options{Addr: s.Addr, TLSConfig: &tls.Config{RootCAs: trust, Certificates: []tls.Certificate{pair}}})
	t.Cleanup(func() { known.Close() })
	c := open(t, known)
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
}

// records counts what a client has sent: handshakes, and what may be a request: anything that is no record of TLS, or one of
// data that is longer than the alert by which a client says, encrypted, that it does not trust the server.
func records(b []byte) (handshakes, requests int64) {
	const header, alert = 5, 32
	for len(b) > 0 {
		if len(b) < header || b[1] != 3 {
			return handshakes, requests + 1
		}
		size := int(b[3])<<8 | int(b[4])
		switch b[0] {
		case 0x16:
			handshakes++
		case 0x14, 0x15: // a change of cipher, an alert in clear
		default:
			if b[0] != 0x17 || size > alert {
				requests++
			}
		}
		b = b[min(header+size, len(b)):]
	}
	return handshakes, requests
}
