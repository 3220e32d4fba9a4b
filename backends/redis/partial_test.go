package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// usage is a kind of lock, and what of it is held and waited for.
type usage struct {
	what     string
	kind     backends.Kind
	capacity int64
	held     []int64 // weights
	waiting  []int64
}

const whole = backends.ReadWriteCapacity

var usages = []usage{
	{"mutex", backends.Mutex, 1, []int64{1}, []int64{1, 1}},
	{"permits of a semaphore", backends.Semaphore, 3, []int64{1, 1}, []int64{3, 1}},
	{"all of a semaphore", backends.Semaphore, 2, []int64{2}, []int64{1, 1}},
	{"readers", backends.ReadWrite, whole, []int64{1, 1}, []int64{whole, 1}},
	{"writer", backends.ReadWrite, whole, []int64{whole}, []int64{1, whole}},
}

// losses are the ways in which a key is lost.
var losses = map[string]func(p goredis.Pipeliner, b *bed, key string){
	"deleted": func(p goredis.Pipeliner, b *bed, key string) { p.Del(b.ctx, key) },
	"renamed": func(p goredis.Pipeliner, b *bed, key string) { p.Do(b.ctx, "RENAME", key, key+"-elsewhere") },
	"expired": func(p goredis.Pipeliner, b *bed, key string) { p.PExpireAt(b.ctx, key, time.Unix(1, 0)) },
	foreign:   func(p goredis.Pipeliner, b *bed, key string) { p.Set(b.ctx, key, "junk", time.Hour) },
}

const foreign = "of a foreign type"

// partial is a name whose keys are lost in part.
type partial struct {
	*bed
	usage
	name    string
	how     string
	lost    []string // "", ":q", ":d"
	grants  []backends.Grant
	waiters []*waiting
	freed   bool // the holders have released before the keys are lost: a waiter may hold what is lost
}

// deadlines is how many of them have a key of their own.
func (p *partial) deadlines() int64 {
	if len(p.held) == 1 {
		return 0
	}
	return int64(len(p.held))
}

// forgotten reports whether the hash, which has all of the state, is lost.
func (p *partial) forgotten() bool { return p.lost[0] == "" }

func (p *partial) request(weight int64) backends.Request {
	r := mutex(p.name, 10*time.Minute)
	r.Kind, r.Capacity, r.Weight = p.kind, p.capacity, weight
	return r
}

// partials returns a name for each subset of the keys and each way to lose them.
func partials(b *bed, u usage) (all []*partial) {
	for how := range losses {
		for set := 1; set < 8; set++ {
			p := &partial{bed: b, usage: u, how: how}
			for i, key := range []string{"", ":q", ":d"} {
				if set&(1<<i) != 0 {
					p.lost = append(p.lost, key)
				}
			}
			p.name = fmt.Sprintf("%s %s, keys %q", u.what, how, p.lost)
			all = append(all, p)
		}
	}
	return all
}

// use has the name held by one client and waited for by another.
func (p *partial) use(holder, waiter *redis.Backend) {
	p.Helper()
	for _, weight := range p.held {
		p.grants = append(p.grants, p.acquire(holder, p.request(weight)))
	}
	for i, weight := range p.waiting {
		r := p.request(weight)
		r.MinValid = time.Duration(i) * 10 * time.Millisecond // its message is a hint, or makes it the holder
		p.waiters = append(p.waiters, p.queue(waiter, r))
	}
}

// lose loses the keys in one step.
func (p *partial) lose() {
	p.Helper()
	h := p.bed.hash(encoded(p.name))
	_, err := p.client.TxPipelined(p.ctx, func(tx goredis.Pipeliner) error {
		for _, key := range p.lost {
			losses[p.how](tx, p.bed, h+key)
		}
		return nil
	})
	if err != nil && !strings.Contains(err.Error(), "no such key") {
		p.Fatal(err)
	}
}

func encoded(name string) string {
	return strings.NewReplacer(" ", "%20").Replace(name)
}

// excluded checks that the holders exclude others although a key is lost, and are renewed.
func (p *partial) excluded(holder, other *redis.Backend) {
	p.Helper()
	if _, err := backends.TryAcquire(p.ctx, other, p.request(p.capacity)); !errors.Is(err, backends.ErrBusy) {
		p.Errorf("%s: a try beside the holders: %v, want ErrBusy", p.name, err)
	}
	for _, g := range p.grants {
		if r := p.renew(holder, g, 10*time.Minute); r.Err != nil {
			p.Errorf("%s: Renew: %v", p.name, r.Err)
		}
	}
	for _, w := range p.waiters {
		select {
		case <-w.ended:
			p.Errorf("%s: a waiter has ended beside the holders: %v", p.name, w.err)
		default:
		}
	}
}

// refused checks that what is of a foreign type ends the waits, is refused, and stays.
func (p *partial) refused(other *redis.Backend) {
	p.Helper()
	for _, w := range p.waiters {
		if <-w.ended; !errors.Is(w.err, backends.ErrMismatch) {
			p.Errorf("%s: a waiting Acquire: %v, want ErrMismatch", p.name, w.err)
		}
	}
	if _, err := backends.TryAcquire(p.ctx, other, p.request(1)); !errors.Is(err, backends.ErrMismatch) {
		p.Errorf("%s: TryAcquire: %v, want ErrMismatch", p.name, err)
	}
	if _, err := other.Inspect(p.ctx, p.name); !errors.Is(err, backends.ErrMismatch) {
		p.Errorf("%s: Inspect: %v, want ErrMismatch", p.name, err)
	}
	p.stays()
}

// stays checks that foreign data is as it was.
func (p *partial) stays() {
	p.Helper()
	for _, key := range p.lost {
		if v := p.client.Get(p.ctx, p.bed.hash(encoded(p.name))+key).Val(); v != "junk" {
			p.Errorf("%s: the foreign data is now %q", p.name, v)
		}
	}
}

// free releases what was held. What the store has forgotten is lost, and its holders are told.
func (p *partial) free(holder *redis.Backend) {
	p.Helper()
	for _, g := range p.grants {
		switch err := backends.Release(p.ctx, holder, g); {
		case err == nil:
		case p.forgotten() && errors.Is(err, backends.ErrLost):
		case p.how == foreign && errors.Is(err, backends.ErrMismatch):
		default:
			p.Errorf("%s: Release: %v", p.name, err)
		}
	}
}

// served checks that every waiter is granted, with a larger token than was out before, unless it
// may have found foreign data. If the hash was lost they have queued again, in any order.
func (p *partial) served(waiter *redis.Backend) {
	p.Helper()
	last := p.grants[len(p.grants)-1].Token
	var all sync.WaitGroup
	defer all.Wait()
	for _, w := range p.waiters {
		all.Go(func() { p.serve(waiter, w, last) })
	}
}

func (p *partial) serve(waiter *redis.Backend, w *waiting, last uint64) {
	switch <-w.ended; {
	case p.how == foreign && errors.Is(w.err, backends.ErrMismatch):
	case w.err != nil:
		p.Errorf("%s: a waiting Acquire: %v", p.name, w.err)
	case w.grant.Token <= last:
		p.Errorf("%s: token %d after %d", p.name, w.grant.Token, last)
	default:
		p.finish(waiter, w.grant)
	}
}

func (p *partial) finish(c *redis.Backend, g backends.Grant) {
	p.Helper()
	err := backends.Release(p.ctx, c, g)
	switch {
	case err == nil, p.how == foreign:
	case p.freed && p.forgotten() && errors.Is(err, backends.ErrLost):
	default:
		p.Errorf("%s: Release: %v", p.name, err)
	}
}

// Whatever subset of a name's keys is lost, in whatever way, at whatever moment, for each kind of
// lock: the next heartbeat mends it or queues again, and the waiters are granted. While the hash
// is there, the holders keep what they hold. A key of a foreign type is refused and stays.
func TestStateThatIsPartlyThereIsMended(t *testing.T) {
	s := redistest.Start(t)
	moments := map[string]func(b *bed, all []*partial, holder, waiter, other *redis.Backend){
		"held": func(b *bed, all []*partial, holder, waiter, other *redis.Backend) {
			for _, p := range all {
				p.lose()
				switch {
				case p.how == foreign:
					p.refused(other)
					continue
				case !p.forgotten():
					p.excluded(holder, other)
				}
				p.free(holder)
			}
		},
		"waited for": func(b *bed, all []*partial, holder, waiter, other *redis.Backend) {
			for _, p := range all {
				p.lose()
				p.free(holder)
			}
		},
		"mended by the heartbeat": func(b *bed, all []*partial, holder, waiter, other *redis.Backend) {
			for _, p := range all {
				if p.how == foreign || p.forgotten() {
					p.free(holder)
					continue
				}
				p.lose()
				h := p.bed.hash(encoded(p.name))
				b.until("the keys are mended", func() bool {
					return b.client.ZCard(b.ctx, h+":q").Val() == int64(len(p.waiters)) &&
						b.client.ZCard(b.ctx, h+":d").Val() == p.deadlines()
				})
				p.excluded(holder, other)
				p.free(holder)
			}
		},
		"being handed over": func(b *bed, all []*partial, holder, waiter, other *redis.Backend) {
			for _, p := range all {
				p.free(holder) // its waiters are told by no message, but perhaps by a heartbeat
				p.freed = true
				p.lose()
			}
		},
	}
	for moment, run := range moments {
		for _, u := range usages {
			t.Run(dashed(u.what+" "+moment), func(t *testing.T) {
				t.Parallel()
				b := newBed(t, s)
				mute := s.ClientOf(t, &goredis.Options{Username: "mute", Password: "secret-word"})
				b.login("mute", "~*", "+@all", "resetchannels")
				holder, other := open(t, mute, redis.WithPrefix(b.prefix)), b.open()
				waiter := b.open(redis.WithHeartbeat(100 * time.Millisecond))
				all := partials(b, u)
				for _, p := range all {
					p.use(holder, waiter)
				}
				run(b, all, holder, waiter, other)
				for _, p := range all {
					p.served(waiter)
				}
			})
		}
	}
}
