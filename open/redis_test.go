package open_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/open"
)

func TestARedisServerIsOneStore(t *testing.T) {
	s := shared.Get(t)
	wantOne(t, opened(t, "redis://"+s.Addr), opened(t, "redis://"+s.Addr+"/0?read_timeout=2s"))
	if _, ok := opened(t, "redis://"+s.Addr).(backends.Checker); !ok {
		t.Error("the store cannot be checked")
	}
}

func TestADatabaseIsAStoreOfItsOwn(t *testing.T) {
	s := shared.Get(t)
	for _, db := range []string{"/1", "/2"} {
		b := opened(t, "redis://"+s.Addr+db)
		g, err := backends.TryAcquire(t.Context(), b, mutex("apart"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = backends.Release(context.Background(), b, g) }()
	}
}

func TestASentinelGroupIsTheStoreOfItsPrimary(t *testing.T) {
	primary := redistest.Start(t)
	sentinel := redistest.StartSentinel(t, primary)
	through := opened(t, "redis+sentinel://"+sentinel.Addr+"/?master_name=primary")
	wantOne(t, opened(t, "redis://"+primary.Addr), through)
}

func TestAClusterIsOneStoreWhateverNodeIsNamed(t *testing.T) {
	nodes := redistest.StartCluster(t, 2, 0).Addrs()
	wantOne(t, opened(t, "redis+cluster://"+nodes[0]), opened(t, "redis+cluster://"+nodes[1]+"?addr="+nodes[0]))
}

func TestAServerOutOfReachIsUnavailableInTheFirstCall(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of the test
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody listens there now
	b := opened(t, "redis://"+l.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := backends.TryAcquire(ctx, b, mutex("n")); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestAServerThatLetsNobodyInIsAPermissionError(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "right")
	for _, text := range []string{"redis://" + s.Addr, "redis://:wrong@" + s.Addr} {
		b := opened(t, text)
		_, err := backends.TryAcquire(t.Context(), b, mutex("n"))
		if !errors.Is(err, backends.ErrPermission) || strings.Contains(err.Error(), "wrong@") {
			t.Errorf("%s: %v, want ErrPermission", text, err)
		}
	}
	if _, err := backends.TryAcquire(t.Context(), opened(t, "redis://:right@"+s.Addr), mutex("n")); err != nil {
		t.Error(err)
	}
}

// lines is a log that many goroutines write.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// provoke has the client library log something: that a client of another part of the program cannot
// connect.
func provoke(t *testing.T) {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer c.Close()
	_ = c.Ping(t.Context()).Err()
}

func TestTheClientLibraryLogsToTheCallersLoggerOrNowhere(t *testing.T) {
	s := shared.Get(t)
	var mine lines
	logger := slog.New(slog.NewTextHandler(&mine, nil))
	opened(t, "redis://"+s.Addr, open.WithClientLog(logger))
	provoke(t)
	before := mine.String()
	if !strings.Contains(before, "level=WARN") || !strings.Contains(before, "client=go-redis") {
		t.Errorf("the caller's logger has %q", before)
	}
	opened(t, "redis://"+s.Addr, open.WithClientLog(nil)) // changes nothing
	provoke(t)
	if mine.String() == before {
		t.Error("a store that keeps the library's logger has changed it")
	}
	before = mine.String()
	opened(t, "redis://"+s.Addr)
	provoke(t)
	if mine.String() != before {
		t.Errorf("a quiet store lets the library log: %s", strings.TrimPrefix(mine.String(), before))
	}
}
