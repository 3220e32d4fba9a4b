package redis

import (
	"context"
	"strconv"
	"time"
)

// readState reads the state that inspect.lua returns, for a user who may read but not run scripts.
// It does not check that the server is a primary. Without the right to TIME it uses this machine's
// clock.
func (b *Backend) readState(ctx context.Context, name string) (row, error) {
	fields, err := b.conns.calls.Do(ctx, "hgetall", b.address(name).keys[0]).Result()
	if err != nil {
		return nil, err
	}
	now, err := b.conns.calls.Time(ctx).Result()
	if err != nil {
		now = time.Now()
	}
	return row{strconv.FormatInt(now.UnixMicro(), 10), flat(fields)}, nil
}

// flat turns a map, which protocol version 3 sends, into the flat list of version 2.
func flat(v any) []any {
	list, _ := v.([]any)
	if m, ok := v.(map[any]any); ok {
		for key, value := range m {
			list = append(list, key, value)
		}
	}
	return list
}
