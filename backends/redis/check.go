package redis

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis/internal/check"
)

var _ backends.Checker = (*Backend)(nil)

// Check looks at the server, or at each master of a cluster: connection, rights, clock, version,
// role, eviction, persistence and replicas. It writes nothing. A fact that the user may not see is
// a note (the least rights do not include INFO and CONFIG GET). A server that answers with a
// refusal is a finding. Only a server that does not answer is an error. See [backends.Checker].
func (b *Backend) Check(ctx context.Context) ([]backends.Finding, error) {
	t := check.Target{
		Client: b.conns.calls, Prefix: b.opt.prefix, Channel: b.channel, Replicas: b.opt.replicas,
		Timeout: dialTimeout, Classify: b.classify,
	}
	var found []backends.Finding
	var err error
	e := b.call(ctx, func(ctx context.Context) {
		t.Keys = b.address("check").keys
		found, err = check.Run(ctx, t)
	})
	if e != nil { // and found and err are the task's alone
		return nil, wrap("check", "", e)
	}
	return found, wrap("check", "", blame(ctx, err))
}
