package redis

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// The scripts are the only place where state of a name is changed. Each one is base.lua, state.lua
// and rules.lua followed by a file of its own, whose header says keys, arguments, result and clock.
// Three have shorter paths of their own before that.
var (
	//go:embed lua/base.lua
	baseLua string
	//go:embed lua/short.lua
	shortLua string
	//go:embed lua/state.lua
	stateLua string
	//go:embed lua/rules.lua
	rulesLua string
	//go:embed lua/op.lua
	opLua string
	//go:embed lua/op_lone.lua
	opLoneLua string
	//go:embed lua/op_fast.lua
	opFastLua string
	//go:embed lua/renew.lua
	renewLua string
	//go:embed lua/look.lua
	lookLua string
	//go:embed lua/heartbeat.lua
	heartbeatLua string
	//go:embed lua/break.lua
	breakLua string
	//go:embed lua/detach.lua
	detachLua string
	//go:embed lua/adopt.lua
	adoptLua string
	//go:embed lua/inspect.lua
	inspectLua string

	//go:embed lua/names.lua
	namesLua string

	opScript        = newScript(primary, opLoneLua, shortLua+opFastLua, opLua)
	releaseScript   = newScript(always, opLoneLua, shortLua+opFastLua, opLua) // of operations that only release
	renewScript     = newScript(always, "", "", renewLua)
	heartbeatScript = newScript(always, "", lookLua, heartbeatLua)
	breakScript     = newScript(always, "", "", breakLua)
	detachScript    = newScript(always, "", "", detachLua)
	adoptScript     = newScript(always, "", "", adoptLua)
	inspectScript   = newScript(always, "", "", inspectLua).reading()
	namesScript     = asScript(always, namesLua).reading()
)

// The codes with which scripts answer, as in rules.lua.
const (
	codeBusy     = 0
	codeGranted  = 1
	codeQueued   = 2
	codeGivenUp  = 3
	codeTried    = 4
	codeIdle     = 5
	codeMismatch = -1
)

type script struct {
	source func() source // made at the first use: a program that starts for another store has no use
	reads  bool
}

// source is a script's text, and what names it to a server.
type source struct {
	text          string
	bySHA, byText any // as arguments of commands
}

// reading marks a script that writes nothing, so that no replica need confirm it.
func (s *script) reading() *script {
	s.reads = true
	return s
}

// The first line of a script. Both lines declare a script that writes, even if it only reads. A
// replica, which may be out of date, refuses such a script (READONLY) before it begins, so every
// answer is a primary's. Without such a line, a script that writes nothing would run on a replica.
// Rejected: to check the role inside the scripts, which takes rights and time.
const (
	primary = "#!lua\n"                 // refused (OOM) by a server without memory
	always  = "#!lua flags=allow-oom\n" // for releases, renewals and looks, which need no memory
)

// newScript makes a script of its own part, and of a part before everything and one before the general rules, each of which may make
// the rest unnecessary: functions are made anew in each call, and cost time.
func newScript(head, lone, short, own string) *script {
	return asScript(head, lone, baseLua, short, stateLua, rulesLua, own)
}

func asScript(parts ...string) *script {
	return &script{source: sync.OnceValue(func() source {
		text := strings.Join(parts, "")
		sum := sha1.Sum([]byte(text))
		return source{text: text, bySHA: hex.EncodeToString(sum[:]), byText: text}
	})}
}

var evalSHA, eval any = "evalsha", "eval"

// command makes the command of a call, as EvalSha and Eval do, without putting the same things into interfaces again and again.
func (s *script) command(ctx context.Context, k call, text bool) *command {
	args := make([]any, 0, 3+len(k.keys)+len(k.args))
	if text {
		args = append(args, eval, s.source().byText, len(k.keys))
	} else {
		args = append(args, evalSHA, s.source().bySHA, len(k.keys))
	}
	args = append(append(args, k.keys...), k.args...)
	cmd := redis.NewCmd(ctx, args...)
	cmd.SetFirstKeyPos(3)
	return &command{Cmd: cmd}
}

// call is one call of a script. Its keys are not to be changed: see [Backend.address].
type call struct {
	keys []any
	args []any
}

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

// token returns a token in place i; false: it is none that a script could have given.
func (r row) token(i int) (uint64, bool) {
	const largest = 1 << 53
	n := r.int(i)
	return uint64(n), 0 < n && n <= largest
}
