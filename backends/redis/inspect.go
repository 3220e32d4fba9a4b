package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
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
	e := b.call(ctx, func(ctx context.Context) message {
		state, err = b.inspect(ctx, name)
		return nil
	})
	if e != nil {
		return backends.State{}, wrap("inspect", name, e)
	}
	return state, wrap("inspect", name, blame(ctx, err))
}

func (b *Backend) inspect(ctx context.Context, name string) (backends.State, error) {
	k := call{keys: b.address(name).keys, args: b.header(0)}
	res := b.eval(ctx, b.clients.calls, inspectScript, k)
	r, err := asReply(res.val, res.err)
	if err != nil && errors.Is(b.classify(err), backends.ErrPermission) {
		r, err = b.readState(ctx, name)
	}
	if err != nil {
		return backends.State{}, b.classify(err)
	}
	if err := refusal(r.int(0)); err != nil {
		return backends.State{}, err
	}
	return parseState(name, r), nil
}

// parseState reads inspect.lua's answer. What does not make sense in it is left out: it is for people to look at.
func parseState(name string, r row) backends.State {
	now := r.int(0)
	fields := pairs(r, 1)
	state := backends.State{Token: number[uint64](fields["t"])}
	deadlines := pairs(r, 2)
	if f := strings.SplitN(fields["m"], " ", 3); len(f) == 3 { // the only grant, kept in one field
		member := "g:" + f[0]
		deadlines[member], fields[member] = f[1], f[2]
	}
	for member, deadline := range deadlines {
		id, ok := strings.CutPrefix(member, "g:")
		till, _ := strconv.ParseFloat(deadline, 64)
		if !ok || int64(till) <= now {
			continue
		}
		if h, ok := parseHolder(id, fields[member]); ok {
			h.Expires = time.Duration(int64(till)-now) * time.Microsecond
			state.Holders = append(state.Holders, h)
		}
	}
	slices.SortFunc(state.Holders, func(a, b backends.Holder) int { return cmp.Compare(a.Token, b.Token) })
	queue, _ := at(r, 3).([]any)
	for _, v := range queue {
		id, _ := v.(string)
		if len(id) < 16 {
			continue
		}
		if _, till, _ := strings.Cut(fields["c:"+id[:16]], " "); number[int64](till) <= now {
			continue
		}
		if w, ok := parseWaiter(id, fields["w:"+id]); ok {
			state.Waiters = append(state.Waiters, w)
		}
	}
	if len(state.Holders) > 0 || len(state.Waiters) > 0 {
		state.Resource = backends.Resource{
			Name: name, Kind: backends.Kind(number[uint8](fields["k"])), Capacity: number[int64](fields["c"]),
		}
	}
	return state
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

func number[T uint8 | int64 | uint64](s string) T {
	n, _ := strconv.ParseUint(s, 10, 64)
	return T(n)
}

// parseHolder reads "hWEIGHT TOKEN TOKENS SINCE OWNER".
func parseHolder(id, s string) (backends.Holder, bool) {
	f := strings.SplitN(s, " ", 5)
	if len(f) != 5 || len(f[0]) < 2 {
		return backends.Holder{}, false
	}
	var h backends.Holder
	var err error
	if h.ID, err = parseID(id); err != nil {
		return h, false
	}
	h.Weight, h.Token = number[int64](f[0][1:]), number[uint64](f[1])
	h.Since, h.Owner = time.UnixMicro(number[int64](f[3])), parseOwner(f[4])
	return h, true
}

// parseWaiter reads "WEIGHT TOKENS hLIFE SECRET SINCE OWNER".
func parseWaiter(id, s string) (backends.Waiter, bool) {
	f := strings.SplitN(s, " ", 6)
	if len(f) != 6 {
		return backends.Waiter{}, false
	}
	var w backends.Waiter
	var err error
	if w.ID, err = parseID(id); err != nil {
		return w, false
	}
	w.Weight, w.Since, w.Owner = number[int64](f[0]), time.UnixMicro(number[int64](f[4])), parseOwner(f[5])
	return w, true
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
	e := b.call(ctx, func(ctx context.Context) message {
		scan := func(ctx context.Context, node *redis.Client) error { return b.scan(ctx, node, names) }
		if c, ok := b.clients.calls.(*redis.ClusterClient); ok {
			err = oneByOne(ctx, c.ForEachMaster, scan)
		} else {
			err = b.scan(ctx, b.clients.calls, names)
		}
		if err != nil {
			err = b.classify(err)
		}
		return nil
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
