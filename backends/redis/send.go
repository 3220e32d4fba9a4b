package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// errReply is the error for a reply that no script sends.
var errReply = errors.New("unexpected reply")

// command is a command that the client library sends at most once. Only eval and evalAll repeat it,
// so that they know whether a copy may have run, or may still run. The library still follows
// redirections of a cluster: a node that redirects has run nothing.
//
// Repetitions do no harm. A grant is identified by its client's random number and a count, so an
// acquire that is repeated brings the same token. A name remembers its last release only, so a
// release that finds nothing is no loss if a copy of it may have run before. An acquire of which a
// copy may be on its way is forbidden after the release of its grant, or when it fails or is
// cancelled: for a minute a late copy has no effect, and a grant that it got before is released.
// Break is not repeated, since it would end grants made in between.
type command struct {
	*redis.Cmd
	written bool // may have been written: a cluster's client reads the arguments before that too
}

// NoRetry is asked by the client library.
func (*command) NoRetry() bool { return true }

// Args is asked by the client library when it writes the command.
func (c *command) Args() []any {
	c.written = true
	return c.Cmd.Args()
}

// repeats says how often a command is repeated that got no answer, or an answer that may soon
// change. The numbers are those of the user's client.
type repeats struct {
	most     int
	min, max time.Duration // pause before a repetition, doubled each time
}

// pause waits before repetition n, which begins at 1, and reports false if ctx ends first.
func (r repeats) pause(ctx context.Context, n int) bool {
	d := r.max
	if n < 30 && r.min<<n < r.max {
		d = r.min << n
	}
	if d > 1 {
		d = d/2 + rand.N(d/2)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select { // a tie does not matter: a command whose ctx has ended is not sent
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// result is the answer to a call of a script.
type result struct {
	val    any
	err    error
	unsure bool // a copy of the command got no answer: it may have run, or may still run
}

// eval calls a script, and repeats it by the rules of script.repeat.
func (b *Backend) eval(ctx context.Context, c redis.UniversalClient, s *script, k call) result {
	unsure := false
	for n := 1; ; n++ {
		r := b.once(ctx, c, s, k)
		r.unsure = r.unsure || unsure
		unsure = r.unsure
		relook(ctx, c, r.err)
		if !s.repeat(r) || n > b.conns.repeats.most || !b.conns.repeats.pause(ctx, n) {
			return r
		}
	}
}

// once sends a script once, by its hash, and by its text if the server does not know it.
func (b *Backend) once(ctx context.Context, c redis.UniversalClient, s *script, k call) result {
	if b.opt.replicas > 0 && !s.reads {
		return b.evalAndWait(ctx, c, s, k)
	}
	cmd := s.command(ctx, k, false)
	_ = c.Process(ctx, cmd) // the command has the error
	if noScript(cmd.Err()) {
		cmd = s.command(ctx, k, true)
		_ = c.Process(ctx, cmd)
	}
	return cmd.result()
}

// failed gives the command the error of its pipeline if it has neither an error nor an answer of
// its own, as when the server has refused the connection. A script always answers.
func (c *command) failed(err error) {
	if c.Err() == nil && c.Val() == nil {
		if err == nil {
			err = errReply
		}
		c.SetErr(err)
	}
}

func (c *command) result() result {
	v, err := c.Result()
	return result{v, err, c.mayHaveRun()}
}

// repeat reports whether a call that ended in r is to be repeated.
func (s *script) repeat(r result) bool {
	if r.err == nil { // the usual case, which allocates nothing
		return false
	}
	var reply redis.Error
	var written *notReplicatedError
	switch {
	case errors.Is(r.err, context.Canceled), errors.Is(r.err, redis.ErrClosed), errors.As(r.err, &written):
		return false
	case s == breakScript && r.unsure: // it would break grants made since
		return false
	case !errors.As(r.err, &reply):
		return true
	}
	switch word, rest, _ := strings.Cut(reply.Error(), " "); word {
	case "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS":
		return true
	default:
		return strings.HasPrefix(rest, "max number of clients")
	}
}

// mayHaveRun reports whether a command that failed may have run, or may still run. It has not if it
// was never sent, or was refused before the script began: an error from inside a script names the
// script.
func (c *command) mayHaveRun() bool {
	err := c.Err()
	if err == nil || !c.written {
		return false
	}
	var reply redis.Error
	var unsent *dialError
	if errors.As(err, &reply) {
		return strings.Contains(reply.Error(), "script: ")
	}
	return !errors.As(err, &unsent)
}

// relook makes the client of a cluster ask who has which slots, when err says that it may not know:
// by itself it does so once a minute, and when a node that is still there sends it elsewhere, but
// not when a node is gone and has been replaced.
func relook(ctx context.Context, c redis.UniversalClient, err error) {
	cluster, ok := c.(*redis.ClusterClient)
	if !ok || err == nil || errors.Is(err, context.Canceled) {
		return
	}
	var reply redis.Error
	if !errors.As(err, &reply) || redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "READONLY") {
		cluster.ReloadState(ctx)
	}
}

// evalAndWait has the replicas confirm what the script wrote. WAIT speaks of the writes of its own
// connection, so both go through one pipeline to one node.
func (b *Backend) evalAndWait(ctx context.Context, c redis.UniversalClient, s *script, k call) result {
	if cluster, ok := c.(*redis.ClusterClient); ok {
		node, err := cluster.MasterForKey(ctx, k.keys[0].(string))
		if err != nil {
			return result{err: err}
		}
		c = node
	}
	for _, text := range []bool{false, true} {
		p := c.Pipeline()
		cmd := s.command(ctx, k, text)
		_ = p.Process(ctx, cmd) // only queues it
		wait := p.Do(ctx, "wait", b.opt.replicas, b.opt.replicaTimeout.Milliseconds())
		_, err := p.Exec(ctx)
		if cmd.failed(err); noScript(cmd.Err()) && !text {
			continue
		}
		if cmd.Err() != nil {
			return cmd.result()
		}
		n, err := wait.Int()
		if err == nil && n < b.opt.replicas {
			err = fmt.Errorf("%d of %d replicas confirmed within %v", n, b.opt.replicas, b.opt.replicaTimeout)
		}
		if err != nil {
			return result{err: &notReplicatedError{err}, unsure: true}
		}
		return cmd.result()
	}
	return result{err: errReply}
}

// notReplicatedError says that a script ran, but that too few replicas have what it wrote.
type notReplicatedError struct{ err error }

func (e *notReplicatedError) Error() string { return "not replicated: " + e.err.Error() }

// evalAll calls a script many times in one round trip, and repeats calls by the rules of
// script.repeat.
func (b *Backend) evalAll(ctx context.Context, c redis.UniversalClient, s *script, calls []call) []result {
	results := make([]result, len(calls))
	todo := make([]int, len(calls))
	for i := range todo {
		todo[i] = i
	}
	for n := 1; ; n++ {
		unknown := b.pipe(ctx, c, s, calls, todo, results, false)
		b.pipe(ctx, c, s, calls, unknown, results, true)
		var again []int
		var failure error
		for _, i := range todo {
			if r := results[i]; r.err != nil {
				failure = r.err
				if s.repeat(r) {
					again = append(again, i)
				}
			}
		}
		relook(ctx, c, failure)
		if todo = again; len(todo) == 0 || n > b.conns.repeats.most || !b.conns.repeats.pause(ctx, n) {
			return results
		}
	}
}

// pipe sends the calls with the indexes in todo once, and returns the indexes of those that failed
// because the server does not know the script.
func (b *Backend) pipe(
	ctx context.Context, c redis.UniversalClient, s *script, calls []call, todo []int, results []result, text bool,
) (unknown []int) {
	if len(todo) == 0 {
		return nil
	}
	p := c.Pipeline()
	cmds := make([]*command, len(todo))
	for j, i := range todo {
		cmds[j] = s.command(ctx, calls[i], text)
		_ = p.Process(ctx, cmds[j]) // only queues it
	}
	_, err := p.Exec(ctx)
	for j, i := range todo {
		cmds[j].failed(err)
		r := cmds[j].result()
		r.unsure = r.unsure || results[i].unsure
		results[i] = r
		if noScript(r.err) {
			unknown = append(unknown, i)
		}
	}
	return unknown
}

func noScript(err error) bool { return err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") }
