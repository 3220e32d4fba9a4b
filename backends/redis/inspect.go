package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Inspect returns who holds the resource and who waits for it; waiters whose process is dead are
// left out. It changes nothing on the server. The rights to HGETALL and ZRANGE are enough; List
// also needs SCAN.
func (b *Backend) Inspect(ctx context.Context, name string) (backends.State, error) {
	if err := backends.CheckName(name); err != nil {
		return backends.State{}, wrap("inspect", "", err)
	}
	var state backends.State
	var err error
	e := b.call(ctx, func(ctx context.Context) {
		state, err = b.inspect(ctx, name)
	})
	if e != nil {
		return backends.State{}, wrap("inspect", name, e)
	}
	return state, wrap("inspect", name, blame(ctx, err))
}

func (b *Backend) inspect(ctx context.Context, name string) (backends.State, error) {
	k := call{keys: b.address(name).keys, args: b.header(0)}
	res := b.eval(ctx, b.conns.calls, inspectScript, k)
	r, err := asReply(res.val, res.err)
	if err != nil && errors.Is(b.classify(err), backends.ErrPermission) {
		r, err = b.readState(ctx, name)
	}
	if err != nil {
		return backends.State{}, b.classify(err)
	}
	return parseState(name, r)
}

// format is the version of the keys' format, as in base.lua.
const format = "4"

// parseState reads inspect.lua's answer. It returns an error that wraps [backends.ErrMismatch] if
// that is not a hash of ours, or a field of it cannot be read.
func parseState(name string, r row) (backends.State, error) {
	now := r.int(0)
	fields := pairs(r, 1)
	switch v, ok := fields["v"]; {
	case len(fields) == 0:
		return backends.State{}, nil
	case !ok:
		return backends.State{}, errForeign
	case v != format:
		return backends.State{}, errVersion
	}
	last, _ := number(fields["t"])
	state := backends.State{Token: uint64(last)}
	if id, record, ok := strings.Cut(fields["m"], " "); ok { // the only grant, kept in one field
		fields["g:"+id] = record
	}
	kind, _ := number(fields["k"])
	capacity, _ := number(fields["c"])
	tickets := make(map[backends.GrantID]uint64)
	for field, v := range fields {
		letter, id, ok := strings.Cut(field, ":")
		if !ok {
			continue
		}
		switch letter {
		case "c":
			_, ok = parseClient(v)
		case "g":
			var h backends.Holder
			h, ok = parseHolder(id, v, now)
			if ok = ok && h.Weight <= capacity; ok && h.Expires+h.Kept > 0 {
				state.Holders = append(state.Holders, h)
			}
		case "w":
			var w backends.Waiter
			var ticket uint64
			w, ticket, ok = parseWaiter(id, v)
			if ok = ok && w.Weight <= capacity; ok && alive(fields, id, now) {
				tickets[w.ID] = ticket
				state.Waiters = append(state.Waiters, w)
			}
		}
		if !ok {
			return backends.State{}, errDamaged(field)
		}
	}
	slices.SortFunc(state.Holders, func(a, b backends.Holder) int { return cmp.Compare(a.Token, b.Token) })
	slices.SortFunc(state.Waiters, func(a, b backends.Waiter) int { return cmp.Compare(tickets[a.ID], tickets[b.ID]) })
	if len(state.Holders) > 0 || len(state.Waiters) > 0 {
		state.Resource = backends.Resource{Name: name, Kind: backends.Kind(kind), Capacity: capacity}
		if int64(state.Resource.Kind) != kind {
			return backends.State{}, errDamaged("k")
		}
		if err := state.Resource.Check(); err != nil {
			return backends.State{}, errDamaged("c")
		}
	}
	return state, nil
}

// alive reports whether the client of a waiter counts as alive.
func alive(fields map[string]string, id string, now int64) bool {
	client, _, _ := strings.Cut(id, "-")
	till, _ := parseClient(fields["c:"+client])
	return till > now
}

func at(r row, i int) any {
	if i < len(r) {
		return r[i]
	}
	return nil
}

// pairs reads a list of keys and values.
func pairs(r row, i int) map[string]string {
	list, _ := at(r, i).([]any)
	m := make(map[string]string, len(list)/2)
	for j := 0; j+1 < len(list); j += 2 {
		m[fmt.Sprint(list[j])] = fmt.Sprint(list[j+1])
	}
	return m
}

// number reads a number of a script's, which is at most 2^53: see state.lua.
func number(s string) (n int64, ok bool) {
	const largest = 1 << 53
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && 0 <= n && n <= largest
}

// The records of grants and waiters, as in state.lua.
var (
	grantRecord  = record(`(?s)^(\d+) ([hsHSTUkd])(\d+) (\d+) \d+ (\d+) (.*)$`)
	waiterRecord = record(`(?s)^(\d+) (\d+) \d+ [hsHS]\d+ [[:xdigit:]]+ (\d+) (.*)$`)
)

// record compiles an expression at its first use.
func record(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// parseClient reads until when a client with waiters counts as alive.
func parseClient(s string) (till int64, ok bool) {
	waiters, end, _ := strings.Cut(s, " ")
	_, ok = number(waiters)
	till, known := number(end)
	return till, ok && known
}

func parseHolder(id, s string, now int64) (h backends.Holder, ok bool) {
	f := grantRecord().FindStringSubmatch(s)
	var err error
	if h.ID, err = parseID(id); err != nil || f == nil {
		return h, false
	}
	till, ok1 := number(f[1])
	weight, ok2 := number(f[3])
	token, ok3 := number(f[4])
	since, _ := number(f[5]) // for people
	left := time.Duration(till-now) * time.Microsecond
	owner := f[6]
	switch h.Expires = left; f[2] {
	case "k":
		h.Expires, h.Kept = 0, left
	case "d":
		var seal string
		seal, owner, _ = strings.Cut(owner, " ")
		_, text, _ := strings.Cut(seal, ":")
		until, known := number(text)
		ok1 = ok1 && known
		h.Expires = time.Duration(until-now) * time.Microsecond
		if h.Detached = h.Expires > 0; !h.Detached { // only its permits stay taken
			h.Expires, h.Kept = 0, left
		}
	}
	h.Weight, h.Token = weight, uint64(token)
	h.Since, h.Owner = time.UnixMicro(since), parseOwner(owner)
	return h, ok1 && ok2 && ok3 && weight > 0 && token > 0
}

func parseWaiter(id, s string) (w backends.Waiter, ticket uint64, ok bool) {
	f := waiterRecord().FindStringSubmatch(s)
	var err error
	if w.ID, err = parseID(id); err != nil || f == nil {
		return w, 0, false
	}
	place, ok1 := number(f[1])
	weight, ok2 := number(f[2])
	since, _ := number(f[3]) // for people
	w.Weight, w.Since, w.Owner = weight, time.UnixMicro(since), parseOwner(f[4])
	return w, uint64(place), ok1 && ok2 && weight > 0
}

func parseOwner(s string) backends.Owner {
	var o ownerJSON
	_ = json.Unmarshal([]byte(s), &o) // junk is nobody
	return o.owner()
}

// List yields the state of every resource in use under the backend's prefix. It walks the server's keys with SCAN, all
// masters of a cluster in turn: a tool for people, not for programs.
func (b *Backend) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return func(yield func(backends.State, error) bool) {
		names, err := b.names(ctx)
		if err != nil {
			yield(backends.State{}, wrap("list", "", blame(ctx, err)))
			return
		}
		for name := range names {
			state, err := b.Inspect(ctx, name)
			if errors.Is(err, backends.ErrMismatch) {
				continue // no lock of ours, whatever its key looks like
			}
			if err != nil {
				yield(backends.State{}, err)
				return
			}
			if state.Resource.Kind != 0 && !yield(state, nil) {
				return
			}
		}
	}
}

// names returns the names of all hashes; SCAN may tell one more than once.
func (b *Backend) names(ctx context.Context) (map[string]bool, error) {
	names := make(map[string]bool)
	var err error
	e := b.call(ctx, func(ctx context.Context) {
		scan := func(ctx context.Context, node *redis.Client) error { return b.scan(ctx, node, names) }
		if c, ok := b.conns.calls.(*redis.ClusterClient); ok {
			err = oneByOne(ctx, c.ForEachMaster, scan)
		} else {
			err = b.scan(ctx, b.conns.calls, names)
		}
		if err != nil {
			err = b.classify(err)
		}
	})
	if e != nil {
		return nil, e // and names is the task's alone
	}
	return names, err
}

// scan collects the names on one node, which has to be a primary.
func (b *Backend) scan(ctx context.Context, c redis.UniversalClient, names map[string]bool) error {
	for cursor := any("0"); ; {
		res := b.eval(ctx, c, namesScript, call{args: []any{cursor, b.pattern(), scanned}})
		r, err := asReply(res.val, res.err)
		if err != nil && errors.Is(b.classify(err), backends.ErrPermission) {
			r, err = asReply(c.Do(ctx, "scan", cursor, "match", b.pattern(), "count", scanned).Result())
		}
		if err != nil {
			return err
		}
		for key := range r.list(1) {
			if name, ok := b.nameOf(key); ok {
				names[name] = true
			}
		}
		if cursor = at(r, 0); cursor == "0" {
			return nil
		}
	}
}

// scanned is about how many keys a SCAN looks at.
const scanned = 1000

// onNode does something with one node of many.
type onNode = func(context.Context, *redis.Client) error

// oneByOne has each, which calls its argument for all nodes at the same time, do f for one after another.
func oneByOne(ctx context.Context, each func(context.Context, onNode) error, f onNode) error {
	turn := make(chan struct{}, 1)
	return each(ctx, func(ctx context.Context, node *redis.Client) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		return f(ctx, node)
	})
}
