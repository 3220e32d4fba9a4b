package postgres

import (
	"context"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/backends"
)

// listNames is how many names List asks for at a time.
const listNames = 256

// Inspect returns who holds the resource and who waits for it; waiters whose process is dead are left
// out. It changes nothing on the server.
func (b *Backend) Inspect(ctx context.Context, name string) (backends.State, error) {
	if err := backends.CheckName(name); err != nil {
		return backends.State{}, wrap("inspect", "", err)
	}
	states, err := b.list(ctx, nil, []byte(name), 1)
	if err != nil || len(states) == 0 {
		return backends.State{}, wrap("inspect", name, err)
	}
	s := states[0]
	if len(s.Holders) == 0 && len(s.Waiters) == 0 {
		s.Resource = backends.Resource{}
	}
	return s, nil
}

// List yields the state of every resource in use, 256 in one statement. A resource that comes into
// use or out of it meanwhile may or may not be among them.
func (b *Backend) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return func(yield func(backends.State, error) bool) {
		for after := []byte{}; ; {
			states, err := b.list(ctx, after, nil, listNames)
			if err != nil {
				yield(backends.State{}, wrap("list", "", err))
				return
			}
			for _, s := range states {
				if (len(s.Holders) > 0 || len(s.Waiters) > 0) && !yield(s, nil) {
					return
				}
			}
			if len(states) < listNames {
				return
			}
			after = []byte(states[len(states)-1].Resource.Name)
		}
	}
}

// list returns the states of some names, in order.
func (b *Backend) list(ctx context.Context, after, only []byte, most int) ([]backends.State, error) {
	var states []backends.State
	var err error
	if e := b.do(ctx, func() { states, err = b.query(after, only, most) }); e != nil {
		return nil, e // and states and err are the task's alone
	}
	return states, b.classify(err)
}

func (b *Backend) query(after, only []byte, most int) (states []backends.State, err error) {
	ctx, cancel := context.WithTimeout(b.ctx, callTime)
	defer cancel()
	for n, pause := 1, callPause; ; n, pause = n+1, pause*callFactor {
		states = nil
		var rows pgx.Rows
		if rows, err = b.pool.Query(ctx, b.call.list, after, only, most); err == nil {
			states, err = collect(rows)
		}
		if err == nil || n == callMost || !passing(err) || !sleep(ctx, pause) {
			return states, err
		}
	}
}

// collect makes states of rows: one for each holder and waiter, in the order of their places.
func collect(rows pgx.Rows) ([]backends.State, error) {
	var states []backends.State
	var name, owner []byte
	var kind int16
	var capacity, last int64
	var client, id, weight, token, since, rest *int64
	var kept, detached *bool
	_, err := pgx.ForEachRow(rows, []any{
		&name, &kind, &capacity, &last, &client, &id, &weight, &token, &since, &rest, &kept, &detached, &owner,
	}, func() error {
		if n := len(states); n == 0 || states[n-1].Resource.Name != string(name) {
			states = append(states, backends.State{
				Resource: backends.Resource{Name: string(name), Kind: backends.Kind(kind), Capacity: capacity},
				Token:    uint64(last),
			})
		}
		s := &states[len(states)-1]
		if client == nil {
			return nil
		}
		gid := backends.GrantID{Client: uint64(*client), Seq: uint64(*id)}
		if token == nil {
			s.Waiters = append(s.Waiters, backends.Waiter{
				ID: gid, Owner: parseOwner(owner), Weight: *weight, Since: time.UnixMicro(*since)})
			return nil
		}
		h := backends.Holder{
			ID: gid, Owner: parseOwner(owner), Weight: *weight, Token: uint64(*token), Since: time.UnixMicro(*since)}
		if left := time.Duration(*rest) * time.Microsecond; *kept {
			h.Kept = left
		} else {
			h.Expires, h.Detached = left, *detached
		}
		s.Holders = append(s.Holders, h)
		return nil
	})
	return states, err
}
