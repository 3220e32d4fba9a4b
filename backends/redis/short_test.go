package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// The short paths do what the general rules would do: two names, one kept by the scripts as they are and one by the same scripts
// without their short paths, get the same calls in a random order, and must give the same answers, send the same messages
// and come to the same state.
func TestShortPathsDoWhatTheGeneralRulesDo(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := redistest.Start(t)
	c := s.Client(t)
	whole := newTwin(t, ctx, c, "whole:", acquireScript.src, giveBackScript.src)
	general := newTwin(t, ctx, c, "general:", newScript(primary, "", "", acquireLua).src, newScript(always, "", "", giveBackLua).src)
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	for seed := range uint64(rounds) {
		d := &dice{Rand: rand.New(rand.NewPCG(seed, 1)), name: fmt.Sprint("n", seed)}
		d.kind, d.capacity = 1, 1
		if d.IntN(3) == 0 {
			d.kind, d.capacity = 3, 3
		}
		var trail []string
		for range 60 {
			k := d.next()
			trail = append(trail, fmt.Sprint(k.script, " ", k.args))
			a, b := whole.do(t, k, d.name), general.do(t, k, d.name)
			if a != b {
				t.Fatalf("seed %d: after\n%s\nwith short paths:\n%s\nwithout:\n%s", seed, strings.Join(trail, "\n"), a, b)
			}
		}
	}
}

// twin is one set of scripts, and the keys that it works on.
type twin struct {
	ctx    context.Context
	client *redis.Client
	prefix string
	sha    map[string]string
	mail   *redis.PubSub
}

func newTwin(t *testing.T, ctx context.Context, c *redis.Client, prefix, acquire, giveBack string) *twin {
	w := &twin{ctx: ctx, client: c, prefix: prefix, sha: map[string]string{}, mail: c.PSubscribe(ctx, prefix+"*")}
	t.Cleanup(func() { w.mail.Close() })
	if _, err := w.mail.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]string{
		"acquire": acquire, "giveback": giveBack, "renew": renewScript.src, "beat": beatScript.src, "inspect": inspectScript.src,
	} {
		sha, err := c.ScriptLoad(ctx, src).Result()
		if err != nil {
			t.Fatal(err)
		}
		w.sha[name] = sha
	}
	return w
}

// do makes a call and returns everything that may not differ: the answer, the messages and the state.
func (w *twin) do(t *testing.T, k dieCall, name string) string {
	t.Helper()
	h := w.prefix + "{" + name + "}"
	keys := []string{h, h + ":q", h + ":d"}
	head := []any{w.prefix + "inbox:", k.alive}
	eval := func(script string, args ...any) row {
		v, err := w.client.EvalSha(w.ctx, w.sha[script], keys, append(slices.Clone(head), args...)...).Result()
		if script == "acquire" {
			tokens, _ := strconv.Atoi(args[6].(string))
			v = spelt(v, tokens)
		}
		r, err := asReply(v, err)
		if err != nil {
			t.Fatalf("%s %v: %v", script, args, err)
		}
		return r
	}
	r := eval(k.script, k.args...)
	var text strings.Builder
	fmt.Fprintln(&text, answerText(k.script, r), w.messages(t))
	state := eval("inspect")
	st, err := parseState(name, state)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(&text, st.Resource, " holders")
	fields := pairs(state, 1)
	for _, g := range st.Holders {
		mark := fields["g:"+idText(g.ID)]
		if _, m, ok := strings.Cut(fields["m"], " "); ok {
			mark = m
		}
		_, mark, _ = strings.Cut(mark, " ")
		fmt.Fprint(&text, " ", idText(g.ID), mark[:1], g.Weight, g.Expires > time.Minute)
	}
	fmt.Fprint(&text, " waiters")
	for _, q := range st.Waiters {
		fmt.Fprint(&text, " ", idText(q.ID), "/", q.Weight)
	}
	fmt.Fprintln(&text, " s", fields["s"], "q", fields["q"], "r", fields["r"], "waiting", w.client.ZRange(w.ctx, keys[1], 0, -1).Val())
	if st.Resource.Kind != 0 {
		for f, v := range fields {
			if n, _, _ := strings.Cut(v, " "); strings.HasPrefix(f, "c:") && fields["q"] != "0" {
				head = append(head, f+"="+n)
			}
		}
	}
	counts := fmt.Sprint(head[2:]...)
	parts := strings.Split(counts, "c:")
	sort.Strings(parts)
	fmt.Fprintln(&text, parts)
	for i, key := range keys {
		// Without an expiry, or with none in time, a key would stay. The time itself may differ: the short paths move it rarely.
		if ttl := w.client.PTTL(w.ctx, key).Val(); ttl != -2 && (ttl <= 0 || ttl > 30*time.Minute+hour) {
			fmt.Fprintf(&text, "key %d expires in %v\n", i, ttl)
		} else {
			fmt.Fprint(&text, " key ", i, ttl != -2)
		}
	}
	return text.String()
}

// answerText leaves tokens and times out of an answer.
func answerText(script string, r row) string {
	switch code := r.int(0); {
	case script == "acquire" && code == codeGranted:
		return fmt.Sprint("granted ", r.int(2), " contended ", r.int(3), " token ", r.uint(1) > 0)
	case script == "acquire" && code == codeQueued:
		return fmt.Sprint("queued ", r.int(1), " due ", time.Duration(r.int(2))*time.Microsecond > time.Minute)
	case script == "renew" || script == "beat":
		inner, _ := r[0].([]any)
		if len(inner) > 1 {
			return fmt.Sprint(script, " ", len(inner), inner[len(inner)-1])
		}
	}
	return fmt.Sprint(script, " ", r)
}

// messages returns what was published.
func (w *twin) messages(t *testing.T) []string {
	t.Helper()
	if err := w.client.Publish(w.ctx, w.prefix+"end", "").Err(); err != nil {
		t.Fatal(err)
	}
	var all []string
	for {
		m, err := w.mail.ReceiveMessage(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		to := strings.TrimPrefix(m.Channel, w.prefix)
		if to == "end" {
			slices.Sort(all)
			return all
		}
		all = append(all, to+" "+messageText(t, m.Payload))
	}
}

// messageText leaves tokens and times out of a message.
func messageText(t *testing.T, payload string) string {
	word, rest, _ := strings.Cut(payload, " ")
	numbers, name, _ := strings.Cut(rest, " ")
	if word != "g0" && word != "g1" {
		return payload
	}
	var text strings.Builder
	for s := range strings.SplitSeq(numbers, ",") {
		seq, n, ok := parseNotice(s, false)
		if !ok || n.token < uint64(n.made) || n.made == 0 {
			t.Errorf("message %q", payload)
		}
		fmt.Fprint(&text, seq, "/", n.secret, " ")
	}
	return word + " " + text.String() + name
}

const hour = time.Hour

// dice throws calls.
type dice struct {
	*rand.Rand
	name     string
	kind     int
	capacity int
	ids      []string
	asked    map[string][]any // how each was asked for
}

type dieCall struct {
	script string
	alive  string
	args   []any
}

func (d *dice) next() dieCall {
	k := dieCall{alive: micros(hour)}
	if d.IntN(12) == 0 { // at the next call it is over
		k.alive = "1"
	}
	life := micros(hour)
	if d.IntN(12) == 0 {
		life = "1"
	}
	switch n := d.IntN(20); {
	case n < 6 || len(d.ids) == 0:
		k.script, k.args = "acquire", d.acquire(life, "")
	case n < 9:
		k.script, k.args = "acquire", d.acquire(life, d.one())
	case n < 13: // asked again
		k.script, k.args = "acquire", slices.Clone(d.asked[d.one()])
	case n < 16:
		k.script, k.args = "giveback", []any{d.name, d.one(), "release", "60000000"}
	case n < 17:
		how := "cancel"
		if d.IntN(4) == 0 {
			how = "forbid"
		}
		k.script, k.args = "giveback", []any{d.name, d.one(), how, "60000000"}
	case n < 18:
		k.script, k.args = "renew", []any{d.one(), life, "0"}
	default:
		id := d.one()
		k.script, k.args = "beat", []any{id[:16], d.name, "1", "1", id[17:]}
	}
	return k
}

// one returns an id that was used, mostly a late one.
func (d *dice) one() string {
	return d.ids[max(0, len(d.ids)-1-d.IntN(4))]
}

func (d *dice) acquire(life, after string) []any {
	if d.asked == nil {
		d.asked = map[string][]any{}
	}
	id := idText(backends.GrantID{Client: uint64(d.IntN(3)), Seq: uint64(len(d.ids) + 1)})
	d.ids = append(d.ids, id)
	mode, mark, weight := "wait", "h", d.capacity
	if d.IntN(5) == 0 {
		mode = "try"
	}
	if d.IntN(4) == 0 {
		mark = "s"
	}
	if d.IntN(3) == 0 {
		weight = 1 + d.IntN(d.capacity)
	}
	brief := micros(hour)
	if d.IntN(8) == 0 {
		brief = "1"
	}
	slip := fmt.Sprintf("%s %x", brief, d.Uint64())
	owner, tokens := `{"h":"aA==","p":1,"l":""}`, 1+d.IntN(3)
	args := []any{d.name, id, mode, fmt.Sprint(d.kind), fmt.Sprint(d.capacity), fmt.Sprint(weight), fmt.Sprint(tokens), life, owner, after, mark, slip}
	d.asked[id] = args
	if d.IntN(2) == 0 { // as the client does once it has had an answer
		again := slices.Clone(args)
		again[9] = ""
		d.asked[id] = again
	}
	return args
}
