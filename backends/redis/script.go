package redis

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// The scripts are the only place where state of a name is changed. Each one is base.lua and common.lua followed by a file of
// its own, whose header says keys, arguments, result and clock. Two have shorter paths of their own before that.
var (
	//go:embed lua/base.lua
	baseLua string
	//go:embed lua/short.lua
	shortLua string
	//go:embed lua/common.lua
	commonLua string
	//go:embed lua/acquire.lua
	acquireLua string
	//go:embed lua/acquire_lone.lua
	acquireLoneLua string
	//go:embed lua/giveback_lone.lua
	giveBackLoneLua string
	//go:embed lua/acquire_fast.lua
	acquireFastLua string
	//go:embed lua/giveback_fast.lua
	giveBackFastLua string
	//go:embed lua/giveback.lua
	giveBackLua string
	//go:embed lua/renew.lua
	renewLua string
	//go:embed lua/beat.lua
	beatLua string
	//go:embed lua/break.lua
	breakLua string
	//go:embed lua/inspect.lua
	inspectLua string

	acquireScript  = newScript(acquireLoneLua, shortLua+acquireFastLua, acquireLua)
	giveBackScript = newScript(giveBackLoneLua, shortLua+giveBackFastLua, giveBackLua)
	renewScript    = newScript("", "", renewLua)
	beatScript     = newScript("", "", beatLua)
	breakScript    = newScript("", "", breakLua)
	inspectScript  = newScript("", "", inspectLua)
)

// The codes with which scripts answer, as in common.lua.
const (
	codeBusy     = 0
	codeGranted  = 1
	codeQueued   = 2
	codeGivenUp  = 3
	codeLost     = 4
	codeMismatch = -1
	codeForeign  = -2
	codeVersion  = -3
)

type script struct {
	src, sha      string
	bySHA, byText any // the same as arguments of commands
}

// newScript makes a script of its own part, and of a part before everything and one before the general rules, each of which may make
// the rest unnecessary: functions are made anew in each call, and cost time.
func newScript(lone, short, own string) *script {
	src := lone + baseLua + short + commonLua + own
	sum := sha1.Sum([]byte(src))
	s := &script{src: src, sha: hex.EncodeToString(sum[:])}
	s.bySHA, s.byText = s.sha, s.src
	return s
}

var evalSHA, eval any = "evalsha", "eval"

// command makes the command of a call, as EvalSha and Eval do, without putting the same things into interfaces again and again.
func (s *script) command(ctx context.Context, k call, text bool) *redis.Cmd {
	args := make([]any, 0, 3+len(k.keys)+len(k.args))
	if text {
		args = append(args, eval, s.byText, len(k.keys))
	} else {
		args = append(args, evalSHA, s.bySHA, len(k.keys))
	}
	args = append(append(args, k.keys...), k.args...)
	cmd := redis.NewCmd(ctx, args...)
	cmd.SetFirstKeyPos(3)
	return cmd
}

// run runs the script once. Copied: the client library may have sent it more than once, and a copy may still be on its way.
func (s *script) run(ctx context.Context, c redis.UniversalClient, k call, text bool) (v any, copied bool, err error) {
	cmd := &watched{Cmd: s.command(ctx, k, text)}
	_ = c.Process(ctx, cmd) // the command has the error
	v, err = cmd.Result()
	return v, cmd.copied, err
}

// watched is a command that notes when the client library is about to send it once more: whenever it has failed, the library asks
// whether it may.
type watched struct {
	*redis.Cmd
	copied bool
}

// NoRetry is asked by the client library.
func (w *watched) NoRetry() bool {
	w.copied = true
	return false
}

// call is one call of a script. Its keys are not to be changed: see [Backend.address].
type call struct {
	keys []any
	args []any
}

// result is its answer.
type result struct {
	val any
	err error
}

// Messages of replies that are not what the scripts send.
var errReply = errors.New("unexpected reply")

// eval calls a script once, by its hash, and sends its text if the server does not know it.
func (b *Backend) eval(ctx context.Context, c redis.UniversalClient, s *script, k call) (any, error) {
	v, _, err := b.evalWatched(ctx, c, s, k)
	return v, err
}

// evalWatched is eval, and says whether the call was copied, see run. What WAIT goes with is not watched.
func (b *Backend) evalWatched(ctx context.Context, c redis.UniversalClient, s *script, k call) (v any, copied bool, err error) {
	if b.opt.replicas > 0 {
		v, err = b.evalAndWait(ctx, c, s, k)
	} else if v, copied, err = s.run(ctx, c, k, false); noScript(err) { // it had no effect
		v, copied, err = s.run(ctx, c, k, true)
	}
	relook(ctx, c, err)
	return v, copied, err
}

// relook makes the client of a cluster ask who has which slots, when err says that it may not know: by itself it does so once
// a minute, and when a node that is still there sends it elsewhere, but not when a node is gone and has been replaced.
func relook(ctx context.Context, c redis.UniversalClient, err error) {
	cluster, ok := c.(*redis.ClusterClient)
	if !ok || err == nil || errors.Is(err, context.Canceled) {
		return
	}
	var reply redis.Error
	if !errors.As(err, &reply) || redis.HasErrorPrefix(err, "MOVED") {
		cluster.ReloadState(ctx)
	}
}

// evalAndWait has the replicas confirm what the script wrote. WAIT speaks of the writes of its own connection, so both go
// through one pipeline to one node.
func (b *Backend) evalAndWait(ctx context.Context, c redis.UniversalClient, s *script, k call) (any, error) {
	if cluster, ok := c.(*redis.ClusterClient); ok {
		node, err := cluster.MasterForKey(ctx, k.keys[0].(string))
		if err != nil {
			return nil, err
		}
		c = node
	}
	for _, text := range []bool{false, true} {
		p := c.Pipeline()
		cmd := s.command(ctx, k, text)
		_ = p.Process(ctx, cmd) // only queues it
		wait := p.Do(ctx, "wait", b.opt.replicas, b.opt.replicaTimeout.Milliseconds())
		_, _ = p.Exec(ctx) // each command has its own error
		if noScript(cmd.Err()) && !text {
			continue
		}
		if cmd.Err() != nil {
			return nil, cmd.Err()
		}
		n, err := wait.Int()
		if err == nil && n < b.opt.replicas {
			err = fmt.Errorf("%d of %d replicas confirmed within %v", n, b.opt.replicas, b.opt.replicaTimeout)
		}
		if err != nil {
			return nil, &notReplicatedError{err}
		}
		return cmd.Val(), nil
	}
	return nil, errReply
}

// notReplicatedError says that a script ran, but that too few replicas have what it wrote.
type notReplicatedError struct{ err error }

func (e *notReplicatedError) Error() string { return "not replicated: " + e.err.Error() }

// evalAll calls a script many times in one round trip.
func evalAll(ctx context.Context, c redis.UniversalClient, s *script, calls []call) []result {
	results := make([]result, len(calls))
	todo := make([]int, len(calls))
	for i := range todo {
		todo[i] = i
	}
	for _, text := range []bool{false, true} {
		p := c.Pipeline()
		cmds := make([]*redis.Cmd, len(todo))
		for j, i := range todo {
			cmds[j] = s.command(ctx, calls[i], text)
			_ = p.Process(ctx, cmds[j]) // only queues it
		}
		_, _ = p.Exec(ctx) // each command has its own error
		var unknown []int
		var failure error
		for j, i := range todo {
			v, err := cmds[j].Result()
			results[i] = result{v, err}
			if noScript(err) {
				unknown = append(unknown, i)
			}
			if err != nil {
				failure = err
			}
		}
		relook(ctx, c, failure)
		if todo = unknown; len(todo) == 0 {
			break
		}
	}
	return results
}

func noScript(err error) bool { return err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") }

// micros is how scripts take spans of time.
func micros(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }

// row is a script's answer for one name.
type row []any

func asRow(v any) (row, error) {
	switch v := v.(type) {
	case []any:
		if len(v) > 0 {
			return v, nil
		}
	case int64:
		return row{v}, nil
	case string:
		return nil, scriptError(v)
	}
	return nil, fmt.Errorf("%w: %T", errReply, v)
}

func asReply(v any, err error) (row, error) {
	if err != nil {
		return nil, err
	}
	return asRow(v)
}

// scriptError is the text of an error that a script met while it handled one of many names.
type scriptError string

func (e scriptError) Error() string { return string(e) }

// RedisError makes it an error as the server sends it.
func (scriptError) RedisError() {}

// int returns number i of the row, or 0 where there is none: the codes of the scripts make 0 the harmless one.
func (r row) int(i int) int64 {
	if i >= len(r) {
		return 0
	}
	switch v := r[i].(type) {
	case int64:
		return v
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	return 0
}

// list returns texts that stand as a list in place i.
func (r row) list(i int) map[string]bool {
	texts := make(map[string]bool)
	if i < len(r) {
		all, _ := r[i].([]any)
		for _, v := range all {
			if s, ok := v.(string); ok {
				texts[s] = true
			}
		}
	}
	return texts
}

func (r row) uint(i int) uint64 {
	if n := r.int(i); n > 0 {
		return uint64(n)
	}
	return 0
}
