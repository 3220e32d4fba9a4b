package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// readState reads the state that inspect.lua returns, for a user who may read but not run scripts.
// It reads one key after the other, so it may see half of a change. It does not check that the
// server is a primary. Without the right to TIME it uses this machine's clock.
func (b *Backend) readState(ctx context.Context, name string) (row, error) {
	keys := b.address(name).keys
	var all []*redis.Cmd
	p := b.clients.calls.Pipeline()
	for _, args := range [][]any{{"hgetall", keys[0]}, {"zrange", keys[2], 0, -1, "withscores"}, {"zrange", keys[1], 0, -1}} {
		all = append(all, p.Do(ctx, args...))
	}
	if _, err := p.Exec(ctx); err != nil { // a refused connection is an error of Exec alone
		return nil, err
	}
	now, err := b.clients.calls.Time(ctx).Result()
	if err != nil {
		now = time.Now()
	}
	r := row{strconv.FormatInt(now.UnixMicro(), 10)}
	for _, cmd := range all {
		v, err := cmd.Result()
		if err != nil {
			return nil, err
		}
		r = append(r, flat(v))
	}
	return r, nil
}

// flat turns an answer of protocol version 3, a map or a list of pairs, into the flat list of
// version 2.
func flat(v any) []any {
	var list []any
	switch v := v.(type) {
	case map[any]any:
		for key, value := range v {
			list = append(list, key, value)
		}
	case []any:
		for _, e := range v {
			if pair, ok := e.([]any); ok {
				list = append(list, pair...)
			} else {
				list = append(list, e)
			}
		}
	}
	for i, e := range list {
		if score, ok := e.(float64); ok {
			list[i] = strconv.FormatFloat(score, 'f', -1, 64)
		}
	}
	return list
}
