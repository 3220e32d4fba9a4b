package redis_test

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// least returns the rights that docs/operating.md gives a user.
func least(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "ACL SETUSER locks on >password ")
	rights, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("docs/operating.md has no ACL SETUSER")
	}
	return strings.Fields(rights)
}

// login makes a user and returns a client of theirs.
func (b *bed) login(name string, rules ...string) *goredis.Client {
	b.Helper()
	if err := b.client.ACLSetUser(b.ctx, name, append([]string{"on", ">secret-word"}, rules...)...).Err(); err != nil {
		b.Fatal(err)
	}
	return b.server.ClientOf(b, &goredis.Options{Username: name, Password: "secret-word"})
}

func TestWithoutTheRightToPublishWaitersAreGrantedByTheirHeartbeat(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	c := open(t, b.login("mute", "~*", "+@all", "resetchannels"),
		redis.WithPrefix(b.prefix), redis.WithHeartbeat(100*time.Millisecond))
	g := b.acquire(c, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.release(c, g)
	b.release(c, w.granted())
}

func TestLeastRightsSuffice(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	c := open(t, b.login("least", least(t)...)) // the default prefix
	r := mutex("n", time.Minute)
	r.Kind, r.Capacity = backends.Semaphore, 2
	g, h := b.acquire(c, r), b.acquire(c, r)
	w := b.queue(c, r)
	b.listening(c)
	if a := b.renew(c, g, time.Minute); a.Err != nil {
		t.Errorf("Renew: %v", a.Err)
	}
	b.release(c, g)
	b.release(c, w.granted())
	b.release(c, h)
	if err := c.Break(b.ctx, "n"); err != nil {
		t.Errorf("Break: %v", err)
	}
	for _, err := range c.List(b.ctx) {
		t.Errorf("List: %v", err)
	}
}

func TestMissingRightsAreErrPermission(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	b.login("known")
	for what, c := range map[string]*goredis.Client{
		"no right to the keys": b.login("stranger", "+@all", "~elsewhere"),
		"no right to scripts":  b.login("reader", "+@read", "~*"),
		"a wrong password":     b.server.ClientOf(t, &goredis.Options{Username: "known", Password: "guess-word"}),
	} {
		_, err := backends.TryAcquire(b.ctx, open(t, c), mutex("n", time.Minute))
		if !errors.Is(err, backends.ErrPermission) || errors.Is(err, backends.ErrBusy) {
			t.Errorf("%s: TryAcquire says %v, want ErrPermission", what, err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret-word") || strings.Contains(err.Error(), "guess-word")) {
			t.Errorf("%s: the password stands in %q", what, err)
		}
	}
}

func TestRightsTakenAwayEndNoLease(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	c := open(t, b.login("user", "~*", "&*", "+@all"))
	g := b.acquire(c, mutex("n", time.Minute))
	b.login("user", "-@all")
	if a := b.renew(c, g, time.Minute); !errors.Is(a.Err, backends.ErrPermission) || errors.Is(a.Err, backends.ErrLost) {
		t.Errorf("Renew without rights: %v, want ErrPermission", a.Err)
	}
	b.login("user", "+@all")
	b.release(c, g)
}

// A release that was refused for lack of rights happens when the user has them again.
func TestReleaseWithoutRightsHappensWhenTheyAreBack(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	c := open(t, b.login("user", "~*", "&*", "+@all"))
	g := b.acquire(c, mutex("n", time.Minute))
	b.login("user", "-@all")
	if err := backends.Release(b.ctx, c, g); !errors.Is(err, backends.ErrPermission) {
		t.Errorf("Release without rights: %v, want ErrPermission", err)
	}
	b.login("user", "+@all")
	other := open(t, b.client)
	b.release(other, b.acquire(other, mutex("n", time.Minute)))
}

// A user who may only read can inspect and list, and cannot acquire.
func TestTheRightToReadIsEnoughToLook(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	writer := b.open()
	r := mutex("n", time.Minute)
	r.Owner = backends.Owner{Host: "h", PID: 7, Label: "holder"}
	b.acquire(writer, r)
	b.queue(writer, r)
	many := r
	many.Name, many.Kind, many.Capacity, many.Weight = "many", backends.Semaphore, 3, 2
	b.acquire(writer, many)
	for user, rules := range map[string][]string{
		"reader":        {"resetchannels", "~*", "-@all", "+@read"},
		"reads-by-key":  {"resetchannels", "%R~*", "-@all", "+@read", "+@connection"},
		"with-a-clock":  {"resetchannels", "%R~*", "-@all", "+hgetall", "+zrange", "+scan", "+time"},
		"with-scripts":  {"resetchannels", "~*", "-@all", "+@read", "+evalsha", "+eval", "+time"},
		"may-do-it-all": {"allchannels", "~*", "+@all"},
	} {
		c := open(t, b.login(user, rules...), redis.WithPrefix(b.prefix))
		for _, name := range []string{"n", "many", "free"} {
			got, err := c.Inspect(b.ctx, name)
			want, err2 := writer.Inspect(b.ctx, name)
			for _, s := range [][]backends.Holder{got.Holders, want.Holders} {
				for i := range s {
					s[i].Expires = 0
				}
			}
			if err != nil || err2 != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: Inspect of %s: %+v, %v; want %+v, %v", user, name, got, err, want, err2)
			}
		}
		names := 0
		for _, err := range c.List(b.ctx) {
			if names++; err != nil {
				t.Errorf("%s: List: %v", user, err)
			}
		}
		if names != 2 {
			t.Errorf("%s: List yields %d names, want 2", user, names)
		}
	}
}
