package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

// junk is what no number of ours looks like.
var junk = []string{"", "abc", "-1", "1.5", "1e3", "0x10", " 1", "1 ", "nan", "inf", "99999999999999999999"}

// damages returns the values that make a field of a hash unreadable, by field.
func damages(fields map[string]string) map[string][]string {
	all := make(map[string][]string)
	for field, v := range fields {
		switch kind, _, _ := strings.Cut(field, ":"); kind {
		case "v", "r": // any text: v is that of another version
		case "m", "g", "w", "c", "x":
			if v != "" {
				all[field] = broken(v)
			}
		default:
			all[field] = junk
		}
	}
	return all
}

// broken returns the values that come of a record when a word of it is missing or no number.
func broken(record string) []string {
	values := []string{"junk"}
	words := strings.Split(record, " ")
	for i, word := range words {
		if strings.HasPrefix(word, "{") { // the owner may be any text
			break
		}
		cut := append(append([]string{}, words[:i]...), words[i+1:]...)
		bad := append(append(append([]string{}, words[:i]...), "?"), words[i+1:]...)
		values = append(values, strings.Join(bad, " "))
		if len(words) < 4 || i < 4 {
			values = append(values, strings.Join(cut, " "))
		}
	}
	for _, absurd := range []string{" h99999999999 ", " h0 "} {
		values = append(values, strings.Replace(record, " h1 ", absurd, 1))
	}
	return slices.DeleteFunc(values, func(v string) bool { return v == record })
}

// damagedCase is a name of whose fields each is damaged in turn.
type damagedCase struct {
	*bed
	name                  string
	holder, waiter, other *redis.Backend
	grants                []backends.Grant
}

func (d *damagedCase) request() backends.Request {
	r := mutex(d.name, time.Minute)
	r.Kind, r.Capacity = backends.Semaphore, 2
	return r
}

// calls are all that can be asked of a name.
func (d *damagedCase) calls() map[string]func() error {
	return map[string]func() error{
		"Acquire":    func() error { _, err := backends.Acquire(d.ctx, d.other, d.request()); return err },
		"TryAcquire": func() error { _, err := backends.TryAcquire(d.ctx, d.other, d.request()); return err },
		"Inspect":    func() error { _, err := d.other.Inspect(d.ctx, d.name); return err },
		"Break":      func() error { return d.other.Break(d.ctx, d.name) },
		"Renew": func() error {
			if len(d.grants) == 0 {
				return nil
			}
			return d.holder.Renew(d.ctx, []backends.Renewal{{Grant: d.grants[0], TTL: time.Minute}})[0].Err
		},
	}
}

// check damages a field and checks that every call says so, in one way, and changes nothing.
func (d *damagedCase) check(field, value string, remove bool) {
	d.Helper()
	h := d.hash(d.name)
	keys := []string{h, h + ":q", h + ":d"}
	was := d.client.HGet(d.ctx, h, field).Val()
	if remove {
		d.client.HDel(d.ctx, h, field)
	} else {
		d.client.HSet(d.ctx, h, field, value)
	}
	before := d.dump(keys)
	for what, call := range d.calls() {
		err := call()
		switch {
		case err == nil && what == "Renew" && len(d.grants) == 0:
		case !errors.Is(err, backends.ErrMismatch) || errors.Is(err, backends.ErrUnavailable):
			d.Errorf("%s: field %q is %q: %s says %v, want ErrMismatch", d.name, field, value, what, err)
		case !strings.Contains(err.Error(), fmt.Sprintf("damaged in field %q: ", field)):
			d.Errorf("%s: field %q is %q: %s says %q", d.name, field, value, what, err)
		}
	}
	if after := d.dump(keys); after != before {
		d.Errorf("%s: field %q is %q: the state has changed:\n%s\n%s", d.name, field, value, before, after)
	}
	d.client.HSet(d.ctx, h, field, was)
}

// dump returns all that the keys hold.
func (b *bed) dump(keys []string) string {
	p := b.client.Pipeline()
	all := []fmt.Stringer{p.HGetAll(b.ctx, keys[0]), p.ZRangeWithScores(b.ctx, keys[1], 0, -1), p.ZRangeWithScores(b.ctx, keys[2], 0, -1)}
	if _, err := p.Exec(b.ctx); err != nil {
		b.Fatal(err)
	}
	return fmt.Sprint(all)
}

// A field of a name's hash that cannot be read is told by every call, with what to do, and nothing
// is changed: while nobody uses the name, while it is held, and while it is waited for.
func TestDamagedFieldIsToldAndChangesNothing(t *testing.T) {
	for state, use := range map[string]func(d *damagedCase){
		"free": func(d *damagedCase) { d.release(d.holder, d.acquire(d.holder, d.request())) },
		"one":  func(d *damagedCase) { d.grants = append(d.grants, d.acquire(d.holder, d.request())) },
		"many": func(d *damagedCase) {
			d.grants = append(d.grants, d.acquire(d.holder, d.request()), d.acquire(d.holder, d.request()))
		},
	} {
		t.Run(state, func(t *testing.T) {
			b := newBed(t, server.Get(t))
			d := &damagedCase{bed: b, name: state, holder: b.open(), other: b.open()}
			use(d)
			for field, values := range damages(b.client.HGetAll(b.ctx, b.hash(state)).Val()) {
				if strings.Contains(field, ":") {
					continue // read by whoever meets it: see the next test
				}
				for _, v := range values {
					d.check(field, v, false)
				}
				d.check(field, "", true)
			}
			for _, g := range d.grants {
				b.release(d.holder, g)
			}
		})
	}
}

// Damaged records of others than the caller are told by the call that meets them. The waiter's own
// heartbeat meets its record, the release that would hand over meets the head of the queue, and
// whatever makes the indexes anew meets all.
func TestDamagedRecordIsToldByWhoeverMeetsIt(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, other := b.open(), b.open()
	waiter := b.open(redis.WithHeartbeat(50 * time.Millisecond))
	shapes := b.shapes(holder, waiter)
	for field, values := range damages(shapes) {
		kind, _, record := strings.Cut(field, ":")
		if !record {
			continue
		}
		for i, v := range values {
			d := &damagedCase{bed: b, name: fmt.Sprint(kind, i), holder: holder, waiter: waiter, other: other}
			d.meet(kind, v)
		}
	}
}

// shapes returns the hash of a name with a record of each kind.
func (b *bed) shapes(holder, waiter *redis.Backend) map[string]string {
	d := &damagedCase{bed: b, name: "shapes", holder: holder, waiter: waiter}
	d.grants = append(d.grants, d.acquire(holder, d.request()), d.acquire(holder, d.request()))
	w := d.queue(waiter, d.request())
	fields := b.client.HGetAll(b.ctx, b.hash("shapes")).Val()
	d.release(holder, d.grants[0])
	d.release(holder, d.grants[1])
	d.release(waiter, w.granted())
	return fields
}

// meet damages a record and has it met.
func (d *damagedCase) meet(kind, value string) {
	d.Helper()
	d.grants = append(d.grants, d.acquire(d.holder, d.request()), d.acquire(d.holder, d.request()))
	w := d.queue(d.waiter, d.request())
	h := d.hash(d.name)
	var field string
	for f := range d.client.HGetAll(d.ctx, h).Val() {
		if strings.HasPrefix(f, kind+":") {
			field = f
		}
	}
	was := d.client.HGet(d.ctx, h, field).Val()
	d.client.HSet(d.ctx, h, field, value)
	if kind == "g" {
		d.client.Del(d.ctx, h+":d") // to be made anew from the records
	} else {
		d.client.Del(d.ctx, h+":q")
	}
	if _, err := backends.TryAcquire(d.ctx, d.other, d.request()); !errors.Is(err, backends.ErrMismatch) || !strings.Contains(err.Error(), field) {
		d.Errorf("%s %q: TryAcquire: %v, want ErrMismatch with the field", field, value, err)
	}
	if _, err := d.other.Inspect(d.ctx, d.name); !errors.Is(err, backends.ErrMismatch) {
		d.Errorf("%s %q: Inspect: %v, want ErrMismatch", field, value, err)
	}
	if <-w.ended; !errors.Is(w.err, backends.ErrMismatch) {
		d.Errorf("%s %q: a waiting Acquire: %v, want ErrMismatch", field, value, w.err)
	}
	if v := d.client.HGet(d.ctx, h, field).Val(); v != value {
		d.Errorf("%s %q: is now %q", field, value, v)
	}
	d.client.HSet(d.ctx, h, field, was) // as people may mend it
	for _, g := range d.grants {
		d.release(d.holder, g)
	}
}
