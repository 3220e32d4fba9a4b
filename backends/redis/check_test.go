package redis_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// check returns the findings of a topic.
func (b *bed) check(c *redis.Backend, topic string) []backends.Finding {
	b.Helper()
	all, err := c.Check(b.ctx)
	if err != nil {
		b.Fatal(err)
	}
	var of []backends.Finding
	for _, f := range all {
		if f.What == "" || f.Level > backends.OK && f.Means == "" || f.Level > backends.Note && f.Mend == "" {
			b.Errorf("a finding that does not say all: %+v", f)
		}
		if f.Topic == topic {
			of = append(of, f)
		}
	}
	if len(of) == 0 {
		b.Fatalf("nothing about %s in %+v", topic, all)
	}
	return of
}

func TestCheckOfAGoodServer(t *testing.T) {
	b := newBed(t, redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"))
	all, err := b.open().Check(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 7 || backends.Worst(all) != backends.OK {
		t.Errorf("of a server that is as it should be: %+v", all)
	}
	if n := b.client.DBSize(b.ctx).Val(); n != 0 {
		t.Errorf("the check has left %d keys", n)
	}
}

func TestCheckFindsWhatWeakensLocks(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		topic string
		level backends.Level
		opts  []redis.Option
	}{
		"eviction":            {[]string{"--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"}, "eviction", backends.Failure, nil},
		"eviction, unlimited": {[]string{"--maxmemory-policy", "allkeys-lru"}, "eviction", backends.Note, nil},
		"no log":              {nil, "persistence", backends.Warning, nil},
		"a log, now and then": {[]string{"--appendonly", "yes"}, "persistence", backends.Note, nil},
		"too few replicas":    {nil, "replicas", backends.Failure, []redis.Option{redis.WithWaitReplicas(1, time.Second)}},
		"min-replicas":        {[]string{"--min-replicas-to-write", "1"}, "replicas", backends.Failure, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, redistest.Start(t, c.args...))
			if f := b.check(b.open(c.opts...), c.topic)[0]; f.Level != c.level {
				t.Errorf("%+v, want a %v", f, c.level)
			}
		})
	}
}

func TestCheckFindsMissingRights(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	all := []string{"~*", "+@all"}
	for name, c := range map[string]struct {
		rules []string
		level backends.Level
		what  string
	}{
		"all":        {append(all, "&*"), backends.OK, ""},
		"channels":   {append(all, "resetchannels"), backends.Warning, "+publish +subscribe"},
		"keys":       {[]string{"+@all", "&*", "~other:*"}, backends.Failure, "+hset"},
		"one":        {append(all, "&*", "-zrangebyscore"), backends.Failure, "+zrangebyscore"},
		"scan alone": {append(all, "&*", "-scan"), backends.Note, "+scan"},
	} {
		t.Run(name, func(t *testing.T) {
			user := strings.ReplaceAll(name, " ", "-")
			client := b.login(user, c.rules...)
			be := open(t, client, redis.WithPrefix(b.prefix))
			f := b.check(be, "rights")[0]
			if f.Level != c.level || !strings.Contains(f.What, c.what) {
				t.Errorf("%+v, want a %v about %q", f, c.level, c.what)
			}
		})
	}
}

func TestCheckWithoutTheRightToLookSaysSo(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	client := b.login("blind", "~*", "&*", "+@all", "-info")
	if f := b.check(open(t, client, redis.WithPrefix(b.prefix)), "server")[0]; f.Level != backends.Note {
		t.Errorf("%+v, want a note", f)
	}
}

func TestCheckOfAServerThatIsNotThere(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	gone := open(t, b.server.ClientOf(t, &goredis.Options{}))
	b.server.Kill()
	if fs, err := gone.Check(b.ctx); !errors.Is(err, backends.ErrUnavailable) || len(fs) > 0 {
		t.Errorf("%+v, %v, want ErrUnavailable", fs, err)
	}
}
