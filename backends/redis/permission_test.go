package redis_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// A client that the server refuses to log in gets ErrPermission in every call, whatever its kind.
func TestRefusedLoginIsErrPermission(t *testing.T) {
	t.Parallel()
	secret := func() []string { return []string{"--requirepass", "secret-word", "--masterauth", "secret-word"} }
	for what, connect := range map[string]func(t *testing.T, password string) goredis.UniversalClient{
		"a-server": func(t *testing.T, password string) goredis.UniversalClient {
			s := redistest.Start(t, secret()...)
			return goredis.NewClient(&goredis.Options{Addr: s.Addr, Password: password})
		},
		"a-database": func(t *testing.T, password string) goredis.UniversalClient {
			s := redistest.Start(t, secret()...)
			return goredis.NewClient(&goredis.Options{Addr: s.Addr, Password: password, DB: 3, MaxRetries: -1, Protocol: 2})
		},
		"a-sentinel's": func(t *testing.T, password string) goredis.UniversalClient {
			s := redistest.Start(t, secret()...)
			sentinel := redistest.StartSentinel(t, s)
			return goredis.NewFailoverClient(&goredis.FailoverOptions{
				MasterName: "primary", SentinelAddrs: []string{sentinel.Addr}, Password: password,
			})
		},
		"a-node-of-a-cluster": func(t *testing.T, password string) goredis.UniversalClient {
			c := redistest.StartCluster(t, 1, 0)
			admin := c.Primaries[0].Client(t)
			if err := admin.ConfigSet(t.Context(), "requirepass", "secret-word").Err(); err != nil {
				t.Fatal(err)
			}
			return goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: c.Addrs(), Password: password})
		},
	} {
		for how, password := range map[string]string{"without-a-word": "", "with-a-wrong-one": "guess-word"} {
			t.Run(what+"/"+how, func(t *testing.T) {
				t.Parallel()
				client := connect(t, password)
				t.Cleanup(func() { client.Close() })
				for _, opts := range [][]redis.Option{nil, {redis.WithSharedPool()}, {redis.WithWaitReplicas(1, time.Second)}} {
					refusedEverywhere(t, open(t, client, opts...))
				}
			})
		}
	}
}

func refusedEverywhere(t *testing.T, c *redis.Backend) {
	t.Helper()
	ctx := t.Context()
	r := mutex("n", time.Second)
	g := backends.Grant{ID: backends.GrantID{Client: 1, Seq: 1}, Resource: r.Resource, Weight: 1, Token: 1, Tokens: 1}
	for call, f := range map[string]func() error{
		"Acquire":    func() error { _, err := backends.Acquire(ctx, c, r); return err },
		"TryAcquire": func() error { _, err := backends.TryAcquire(ctx, c, r); return err },
		"Renew":      func() error { return c.Renew(ctx, []backends.Renewal{{Grant: g, TTL: time.Second}})[0].Err },
		"Release":    func() error { return backends.Release(ctx, c, g) },
		"Inspect":    func() error { _, err := c.Inspect(ctx, "n"); return err },
		"Break":      func() error { return c.Break(ctx, "n") },
		"List": func() error {
			for _, err := range c.List(ctx) {
				return err
			}
			return nil
		},
	} {
		if err := f(); !errors.Is(err, backends.ErrPermission) || errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrPermission", call, err)
		}
	}
	all, err := c.Check(ctx) // reports the refusal as a finding
	if err != nil || !slices.ContainsFunc(all, func(f backends.Finding) bool {
		return f.Topic == "rights" && f.Level == backends.Failure
	}) {
		t.Errorf("Check: %+v, %v, want a failure of rights", all, err)
	}
}
