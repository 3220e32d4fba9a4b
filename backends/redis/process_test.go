package redis_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// holder is a helper process that acquires a mutex and keeps it: args address, prefix, name, time to live.
func holder(c *proctest.Child) error {
	b, r, err := helper(c.Args)
	if err != nil {
		return err
	}
	g, err := backends.Acquire(context.Background(), b, r)
	if err != nil {
		return err
	}
	c.Say("held %d", g.Token)
	c.Listen()
	return nil
}

// worker is a helper process that acquires and releases a mutex until its input ends, and writes down what it held:
// args address, prefix, name, time to live, file, its own name.
func worker(c *proctest.Child) error {
	b, r, err := helper(c.Args)
	if err != nil {
		return err
	}
	f, err := os.Create(c.Args[4])
	if err != nil {
		return err
	}
	defer f.Close()
	rec := history.NewRecorder(f, c.Args[5])
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for {
			if _, ok := c.Listen(); !ok {
				cancel()
				return
			}
		}
	}()
	for n := 1; ; n++ {
		r.MinValid = time.Duration(n%2) * r.TTL / 4 // every other grant may come by message
		g, err := backends.Acquire(ctx, b, r)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		h := rec.Granted(history.Grant{Name: r.Name, Capacity: 1, Weight: 1, Token: g.Token, Holder: "main"})
		h.Ended()
		if err := backends.Release(ctx, b, g); err != nil && ctx.Err() == nil {
			return err
		}
		if n%25 == 0 {
			c.Say("%d", n)
		}
	}
	if err := b.Close(context.Background()); err != nil {
		return err
	}
	return rec.Err()
}

func helper(args []string) (*redis.Backend, backends.Request, error) {
	ttl, err := time.ParseDuration(args[3])
	if err != nil {
		return nil, backends.Request{}, err
	}
	b, err := redis.New(goredis.NewClient(&goredis.Options{Addr: args[0]}), redis.WithPrefix(args[1]),
		redis.WithHeartbeat(100*time.Millisecond))
	return b, mutex(args[2], ttl), err
}

func TestKilledHolderIsReplacedAfterItsTime(t *testing.T) {
	b := newBed(t, server.Get(t))
	const ttl = 500 * time.Millisecond
	c := b.open(redis.WithHeartbeat(10 * time.Second)) // a timer on the holder's deadline brings the grant
	p := proctest.Start(t, "holder", b.server.Addr, b.prefix, "n", ttl.String())
	var token uint64
	if _, err := fmt.Sscan(p.Expect("held"), &token); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	begin := time.Now()
	g := b.acquire(c, mutex("n", time.Minute))
	t.Logf("granted %v after the kill; the time to live was %v", time.Since(begin), ttl)
	if g.Token <= token {
		t.Errorf("token %d after %d", g.Token, token)
	}
	b.release(c, g)
}

func TestProcessesThatAreKilledNeverOverlap(t *testing.T) {
	b := newBed(t, server.Get(t))
	// The time to live is long for a worker that this machine may keep from running, and is waited for once a kill.
	const ttl = 2 * time.Second
	dir := t.TempDir()
	var files []string
	start := func(i int) *proctest.Process {
		name := fmt.Sprint("worker", i)
		files = append(files, filepath.Join(dir, name))
		return proctest.Start(t, "worker", b.server.Addr, b.prefix, "n", ttl.String(), files[i], name)
	}
	obituary, err := os.Create(filepath.Join(dir, "obituary"))
	if err != nil {
		t.Fatal(err)
	}
	defer obituary.Close()
	deaths := history.NewRecorder(obituary, "parent")
	var workers []*proctest.Process
	for i := range 4 {
		workers = append(workers, start(i))
	}
	for i := range 3 {
		for range 8 { // it has had its share
			workers[i].Listen()
		}
		deaths.Died(fmt.Sprint("worker", i))
		workers[i].Kill()
		workers = append(workers, start(4+i))
	}
	for _, w := range workers[3:] {
		w.Listen()
	}
	for _, w := range workers[3:] {
		w.CloseInput()
	}
	for _, w := range workers[3:] {
		for ok := true; ok; {
			_, ok = w.Listen()
		}
		if err := w.Wait(); err != nil {
			t.Error(err)
		}
	}
	events, err := history.ReadFiles(append(files, obituary.Name())...)
	if err != nil {
		t.Fatal(err)
	}
	v := history.Check(events)
	t.Log(v)
	if !v.OK() {
		t.Error(v.Err())
	}
	if s := b.inspect(b.open(), "n"); len(s.Waiters) != 0 {
		t.Errorf("waiters of dead or ended processes: %+v", s.Waiters)
	}
}
