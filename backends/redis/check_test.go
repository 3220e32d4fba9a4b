package redis_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
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

// rename returns the arguments of a server that lacks the commands.
func rename(commands ...string) (args []string) {
	for _, c := range commands {
		args = append(args, "--rename-command", c, "")
	}
	return args
}

// A server that answers and cannot be used is a finding, which says what to do. So is a fact that
// cannot be found out.
func TestCheckFindsMissingCommands(t *testing.T) {
	for name, c := range map[string]struct {
		missing []string
		topic   string
		level   backends.Level
		what    string
	}{
		"scan":           {[]string{"SCAN"}, "commands", backends.Note, "SCAN"},
		"publish":        {[]string{"PUBLISH"}, "commands", backends.Warning, "PUBLISH"},
		"subscribe":      {[]string{"SUBSCRIBE", "UNSUBSCRIBE"}, "commands", backends.Warning, "SUBSCRIBE UNSUBSCRIBE"},
		"one of ours":    {[]string{"ZSCORE"}, "commands", backends.Failure, "ZSCORE"},
		"the clock":      {[]string{"TIME"}, "commands", backends.Failure, "TIME"},
		"clock, again":   {[]string{"TIME"}, "clock", backends.Note, "does not tell"},
		"by hash":        {[]string{"EVALSHA"}, "commands", backends.Failure, "EVALSHA"},
		"scripts":        {[]string{"EVAL", "EVALSHA"}, "commands", backends.Failure, "no scripts"},
		"after scripts":  {[]string{"EVAL"}, "eviction", backends.OK, "noeviction"},
		"itself":         {[]string{"INFO"}, "server", backends.Note, "about itself"},
		"itself and all": {[]string{"INFO", "ROLE", "EVAL"}, "server", backends.Note, "about itself"},
		"configuration":  {[]string{"CONFIG"}, "server", backends.Note, "its configuration"},
		"acl":            {[]string{"ACL"}, "rights", backends.OK, "all that is needed"},
		"hello":          {[]string{"HELLO", "CLIENT"}, "rights", backends.OK, "all that is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, redistest.Start(t, append(rename(c.missing...), "--appendonly", "yes")...))
			if f := b.check(b.open(), c.topic)[0]; f.Level != c.level || !strings.Contains(f.What, c.what) {
				t.Errorf("%+v, want a %v about %q", f, c.level, c.what)
			}
		})
	}
}

// The same holds for a wrong kind of server and for a wrong way to connect.
func TestCheckFindsWhyAServerCannotBeUsed(t *testing.T) {
	closed := redistest.Start(t, "--requirepass", "open-sesame")
	cert, key, _ := certify(t, time.Now().Add(time.Hour))
	primary := redistest.Start(t)
	host, port, err := net.SplitHostPort(primary.Addr)
	if err != nil {
		t.Fatal(err)
	}
	whole := redistest.StartCluster(t, 1, 0)
	torn := redistest.Start(t, "--cluster-enabled", "yes") // no slot is assigned
	full := redistest.Start(t, "--maxclients", "1")
	conn, err := net.Dial("tcp", full.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sentinel := redistest.StartSentinel(t, primary)
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for name, c := range map[string]struct {
		opt         goredis.Options
		topic, what string
		mend        string
	}{
		"no password":          {goredis.Options{Addr: closed.Addr}, "rights", "wants a password", "PASSWORD"},
		"a wrong password":     {goredis.Options{Addr: closed.Addr, Password: "open-barley"}, "rights", "refuses user or password", ""},
		"a wrong database":     {goredis.Options{Addr: primary.Addr, DB: 99}, "database", "DB index", "number 0"},
		"a Sentinel":           {goredis.Options{Addr: redistest.StartSentinel(t, primary).Addr}, "role", "it is a Sentinel", "redis+sentinel://"},
		"a Sentinel's primary": {goredis.Options{Addr: sentinel.Addr}, "role", "it is a Sentinel", primary.Addr},
		"TLS where there is none": {
			goredis.Options{Addr: primary.Addr, TLSConfig: &tls.Config{InsecureSkipVerify: true}}, "connection", "does not speak TLS", "redis://",
		},
		"no TLS where there is":  {goredis.Options{Addr: redistest.StartTLS(t, cert, key).Addr}, "connection", "speaks TLS", "rediss://"},
		"an unknown certificate": {goredis.Options{Addr: redistest.StartTLS(t, cert, key).Addr, TLSConfig: &tls.Config{}}, "connection", "TLS fails", ""},
		"no certificate of its own": {
			goredis.Options{Addr: redistest.StartMutualTLS(t, cert, key).Addr, TLSConfig: &tls.Config{InsecureSkipVerify: true}},
			"connection", "TLS fails", "",
		},
		"a replica":             {goredis.Options{Addr: redistest.Start(t, "--replicaof", host, port).Addr}, "role", "it is a replica", "primary"},
		"a node of a cluster":   {goredis.Options{Addr: whole.Primaries[0].Addr}, "role", "node of a cluster", "redis+cluster://"},
		"a number in a cluster": {goredis.Options{Addr: whole.Primaries[0].Addr, DB: 3}, "database", "SELECT is not allowed", "number 0"},
		"a cluster with a hole": {goredis.Options{Addr: torn.Addr}, "cluster", "0 are served", "slots"},
		"a full server":         {goredis.Options{Addr: full.Addr}, "connection", "max number of clients", ""},
		"a web server":          {goredis.Options{Addr: web.Listener.Addr().String()}, "connection", "no Redis server", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.opt.MaxRetries = -1
			client := goredis.NewClient(&c.opt)
			defer client.Close()
			all, err := open(t, client).Check(t.Context())
			if err != nil {
				t.Fatalf("%v; want findings", err)
			}
			i := slices.IndexFunc(all, func(f backends.Finding) bool { return f.Topic == c.topic && f.Level == backends.Failure })
			if i < 0 || !strings.Contains(all[i].What, c.what) || !strings.Contains(all[i].Mend, c.mend) {
				t.Fatalf("%+v; want a failure of %s, %q, and how to mend it: %q", all, c.topic, c.what, c.mend)
			}
			if text := fmt.Sprint(all); strings.Contains(text, "open-barley") {
				t.Errorf("a finding shows the password: %s", text)
			}
		})
	}
}

// The same holds for a client of Sentinels: what they answer comes before any server.
func TestCheckFindsWhySentinelsNameNoPrimary(t *testing.T) {
	primary := redistest.Start(t)
	sentinel := redistest.StartSentinel(t, primary)
	closed := redistest.StartSentinel(t, primary)
	if err := closed.Client(t).Do(t.Context(), "ACL", "SETUSER", "default", "resetpass", ">open-sesame").Err(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		addr, master      string
		topic, what, mend string
	}{
		"a name that they do not know": {sentinel.Addr, "secondary", "role", "know no primary of this name", "master_name"},
		"no password":                  {closed.Addr, "primary", "rights", "refuse user or password", "redis+sentinel://USER:PASSWORD"},
		"a server":                     {primary.Addr, "primary", "role", "it is no Sentinel", "redis://"},
	} {
		t.Run(name, func(t *testing.T) {
			client := goredis.NewFailoverClient(&goredis.FailoverOptions{
				MasterName: c.master, SentinelAddrs: []string{c.addr}, MaxRetries: -1,
			})
			defer client.Close()
			all, err := open(t, client).Check(t.Context())
			if err != nil {
				t.Fatalf("%v; want findings", err)
			}
			if len(all) != 1 || all[0].Topic != c.topic || all[0].Level != backends.Failure ||
				!strings.Contains(all[0].What, c.what) || !strings.Contains(all[0].Mend, c.mend) {
				t.Errorf("%+v; want a failure of %s, %q, and how to mend it: %q", all, c.topic, c.what, c.mend)
			}
		})
	}
}

// A client of a cluster finds that a server is in no cluster, and which nodes do not answer.
func TestCheckOfAClusterFindsNodesThatAreDown(t *testing.T) {
	alone := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{redistest.Start(t).Addr}})
	defer alone.Close()
	all, err := open(t, alone).Check(t.Context())
	if err != nil || backends.Worst(all) != backends.Failure || !strings.Contains(all[0].What, "no node of a cluster") {
		t.Errorf("of a server that is in no cluster: %+v, %v", all, err)
	}
	sentinel := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{redistest.StartSentinel(t, redistest.Start(t)).Addr}})
	defer sentinel.Close()
	all, err = open(t, sentinel).Check(t.Context())
	if err != nil || backends.Worst(all) != backends.Failure || !strings.Contains(all[0].What, "no node of a cluster") {
		t.Errorf("of a Sentinel: %+v, %v", all, err)
	}
	c := redistest.StartCluster(t, 2, 0)
	client := c.Client(t)
	for _, p := range c.Primaries {
		if err := p.Client(t).Do(t.Context(), "ACL", "SETUSER", "blind", "on", "nopass", "~*", "&*", "+@all", "-cluster").Err(); err != nil {
			t.Fatal(err)
		}
	}
	blind := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: c.Addrs(), Username: "blind", Password: "x"})
	defer blind.Close()
	all, err = open(t, blind).Check(t.Context())
	if err != nil || backends.Worst(all) != backends.Failure || !strings.Contains(all[0].Mend, "+cluster|slots") || strings.Contains(all[0].Mend, "eval") {
		t.Errorf("of a user who may not ask for the slots: %+v, %v", all, err)
	}
	b := open(t, client)
	if all, err := b.Check(t.Context()); err != nil || backends.Worst(all) > backends.Warning {
		t.Errorf("of a whole cluster: %+v, %v", all, err)
	}
	c.Primaries[1].Kill()
	all, err = b.Check(t.Context())
	down := slices.IndexFunc(all, func(f backends.Finding) bool {
		return f.Topic == "connection" && f.Level == backends.Failure && strings.Contains(f.What, c.Primaries[1].Addr)
	})
	if err != nil || down < 0 {
		t.Errorf("with a node that is down: %+v, %v", all, err)
	}
	c.Primaries[0].Kill()
	if all, err := b.Check(t.Context()); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("with no node left: %+v, %v; want ErrUnavailable", all, err)
	}
}
