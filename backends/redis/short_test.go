package redis

import (
	"context"
	"crypto/sha1"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
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
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	s := redistest.Start(t)
	c := s.Client(t)
	whole := newTwin(t, ctx, c, "whole:", opScript.source().text)
	general := newTwin(t, ctx, c, "general:", newScript(primary, "", "", opLua).source().text)
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	for seed := range uint64(rounds) {
		d := &dice{Rand: rand.New(rand.NewPCG(seed, 1)), names: []string{fmt.Sprint("n", seed), fmt.Sprint("m", seed)}}
		d.kind, d.capacity = 1, 1
		if d.IntN(3) == 0 {
			d.kind, d.capacity = 3, 3
		}
		var trail []string
		for range 60 {
			k := d.next()
			trail = append(trail, fmt.Sprint(k.script, " ", k.args))
			a, b := whole.do(t, k, d.names), general.do(t, k, d.names)
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

func newTwin(t *testing.T, ctx context.Context, c *redis.Client, prefix, op string) *twin {
	w := &twin{ctx: ctx, client: c, prefix: prefix, sha: map[string]string{}, mail: c.PSubscribe(ctx, prefix+"*")}
	t.Cleanup(func() { w.mail.Close() })
	if _, err := w.mail.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]string{
		"op": op, "renew": renewScript.source().text, "heartbeat": heartbeatScript.source().text, "inspect": inspectScript.source().text,
		"detach": detachScript.source().text, "adopt": adoptScript.source().text,
	} {
		sha, err := c.ScriptLoad(ctx, src).Result()
		if err != nil {
			t.Fatal(err)
		}
		w.sha[name] = sha
	}
	return w
}

// do makes a call and returns everything that may not differ: the answer, the messages and the states.
func (w *twin) do(t *testing.T, k dieCall, names []string) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintln(&text, w.answerText(t, k), w.messages(t))
	for _, name := range names {
		w.state(t, &text, name)
	}
	return text.String()
}

func (w *twin) keys(names ...string) (keys []string) {
	for _, n := range names {
		h := w.prefix + "{" + n + "}"
		keys = append(keys, h, h+":q", h+":d")
	}
	return keys
}

func (w *twin) eval(t *testing.T, k dieCall) any {
	t.Helper()
	args := append([]any{k.alive}, k.args...)
	if k.script == "op" { // the first word is of the same argument
		args = append([]any{fmt.Sprint(k.args[0], " ", k.alive)}, k.args[1:]...)
	}
	v, err := w.client.EvalSha(w.ctx, w.sha[k.script], w.keys(k.names...), args...).Result()
	if err != nil {
		t.Fatalf("%s %v: %v", k.script, k.args, err)
	}
	return v
}

// answerText leaves tokens and times out of an answer.
func (w *twin) answerText(t *testing.T, k dieCall) string {
	v := w.eval(t, k)
	rows, ok := v.([]any)
	if !ok {
		rows = []any{v}
	}
	switch k.script {
	case "op":
	case "detach", "adopt":
		return fmt.Sprint(k.script, " ", rows) // the token is that of the call
	default:
		inner, _ := rows[0].([]any)
		return fmt.Sprint(k.script, " ", len(inner), inner[len(inner)-1])
	}
	if len(rows) != len(k.tokens) {
		t.Fatalf("%v: %d rows for %v", k.args, len(rows), k.tokens)
	}
	var text strings.Builder
	for i, v := range rows {
		if _, lone := v.(int64); lone && k.tokens[i] > 0 {
			v = []any{int64(codeGranted), v, int64(k.tokens[i]), int64(0)}
		}
		r, err := asRow(v)
		switch {
		case err != nil:
			t.Fatalf("%v: %v", k.args, err)
		case k.tokens[i] > 0 && r.int(0) == codeGranted:
			fmt.Fprint(&text, "granted ", r.int(2), " contended ", r.int(3), " token ", r.int(1) > 0)
		case k.tokens[i] > 0 && r.int(0) == codeQueued:
			fmt.Fprint(&text, "queued ", r.int(1), " due ", time.Duration(r.int(2))*time.Microsecond > time.Minute)
		case k.tokens[i] > 0 && r.int(0) == codeBusy:
			holder, _ := at(r, 2).(string)
			id, _, _ := strings.Cut(holder, " ")
			fmt.Fprint(&text, "busy, held by ", id)
		default:
			fmt.Fprint(&text, " ", r)
		}
	}
	return text.String()
}

func (w *twin) state(t *testing.T, text *strings.Builder, name string) {
	state, _ := w.eval(t, dieCall{script: "inspect", alive: micros(hour), names: []string{name}}).([]any)
	st, err := parseState(name, state)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(text, st.Resource, " holders")
	fields := pairs(state, 1)
	for _, g := range st.Holders {
		mark := fields["g:"+idText("", g.ID)]
		if _, m, ok := strings.Cut(fields["m"], " "); ok {
			mark = m
		}
		_, mark, _ = strings.Cut(mark, " ")
		fmt.Fprint(text, " ", idText("", g.ID), mark[:1], g.Weight, g.Expires > time.Minute)
	}
	fmt.Fprint(text, " waiters")
	for _, q := range st.Waiters {
		fmt.Fprint(text, " ", idText("", q.ID), "/", q.Weight)
	}
	keys := w.keys(name)
	fmt.Fprintln(text, " s", fields["s"], "q", fields["q"], "r", fields["r"], "waiting", w.client.ZRange(w.ctx, keys[1], 0, -1).Val())
	var counts []string
	for f, v := range fields {
		if n, _, _ := strings.Cut(v, " "); st.Resource.Kind != 0 && strings.HasPrefix(f, "c:") && fields["q"] != "0" {
			counts = append(counts, f+"="+n)
		}
	}
	sort.Strings(counts)
	fmt.Fprintln(text, counts)
	for i, key := range keys {
		// Without an expiry, or with none in time, a key would stay. The time itself may differ: the short paths move it rarely.
		if ttl := w.client.PTTL(w.ctx, key).Val(); ttl != -2 && (ttl <= 0 || ttl > 30*time.Minute+hour) {
			fmt.Fprintf(text, "key %d expires in %v\n", i, ttl)
		} else {
			fmt.Fprint(text, " key ", i, ttl != -2)
		}
	}
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
		seq, n, ok := parseWakeUp(s, false)
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
	names    []string
	kind     int
	capacity int
	ids      []string
	asked    map[string]dieCall // how each was asked for
	of       map[string]string  // its name
	wants    map[string]any     // what it wants
}

type dieCall struct {
	script string
	alive  string
	names  []string
	args   []any
	tokens []int // of op, for each row: how many are asked for, 0 of what is given back
}

func (d *dice) next() dieCall {
	k := d.call()
	if k.alive = micros(hour); d.IntN(12) == 0 { // at the next call it is over
		k.alive = "1"
	}
	return k
}

func (d *dice) call() dieCall {
	life := micros(4 * time.Minute) // so short that the lone path releases it, too
	switch d.IntN(12) {
	case 0:
		life = "1"
	case 1, 2:
		life = micros(hour)
	}
	if d.asked == nil {
		d.asked, d.of, d.wants = map[string]dieCall{}, map[string]string{}, map[string]any{}
	}
	switch n := d.IntN(22); {
	case n < 9 || len(d.ids) == 0:
		return d.op(life)
	case n < 13: // asked again
		return d.asked[d.one()]
	case n < 16:
		return d.back(d.end())
	case n < 17 && d.IntN(4) == 0:
		return d.back(endForGood)
	case n < 17:
		return d.back(endAny)
	case n < 18:
		id := d.one()
		return dieCall{script: "renew", names: []string{d.of[id]}, args: []any{id, life, "0"}}
	case n < 19:
		id := d.one()
		return dieCall{script: "detach", names: []string{d.of[id]}, args: []any{d.of[id], id, life, d.least(), "1", seal(id)}}
	case n < 20:
		return d.adopt()
	default:
		id := d.one()
		return dieCall{script: "heartbeat", names: []string{d.of[id]}, args: []any{id[:16], d.of[id], "1", "1", id[17:]}}
	}
}

// seal is the hash of the proof that an id is detached with, which is the id.
func seal(id string) string { return fmt.Sprintf("%x", sha1.Sum([]byte(id))) }

// least is for how long permits stay taken.
func (d *dice) least() string {
	if d.IntN(4) == 0 {
		return micros(hour)
	}
	return "0"
}

// adopt has a client adopt what an id has, now and then without a proof.
func (d *dice) adopt() dieCall {
	old := d.one()
	name, proof := d.of[old], old
	if d.IntN(8) == 0 {
		proof = "none"
	}
	id := idText("", backends.GrantID{Client: uint64(d.IntN(3)), Seq: uint64(len(d.ids) + 1)})
	k := dieCall{script: "adopt", names: []string{name}, args: []any{
		name, old, proof, id, d.wants[old], `{"h":"aA==","p":2,"l":""}`,
	}}
	d.ids, d.of[id], d.wants[id], d.asked[id] = append(d.ids, id), name, d.wants[old], k
	return k
}

// back gives back what an id has, or what two ids of two names have.
func (d *dice) back(how string) dieCall {
	k := dieCall{script: "op", args: []any{""}}
	for range 1 + d.IntN(2) {
		if id := d.one(); !slices.Contains(k.names, d.of[id]) {
			if len(k.names) > 0 {
				k.args = append(k.args, "")
			}
			k.names, k.tokens = append(k.names, d.of[id]), append(k.tokens, 0)
			k.args = append(k.args, d.of[id], how+id)
		}
	}
	return k
}

// end is how a grant is given back: now and then its permits stay taken.
func (d *dice) end() string {
	switch d.IntN(12) {
	case 0:
		return endKeeping + micros(hour) + " "
	case 1: // that is over
		return endKeeping + "1 "
	}
	return endGrant
}

// one returns an id that was used, mostly a late one.
func (d *dice) one() string {
	return d.ids[max(0, len(d.ids)-1-d.IntN(4))]
}

// op requests one name or both, and gives back something before that, or not.
func (d *dice) op(life string) dieCall {
	k := dieCall{script: "op", args: []any{"wait"}}
	if d.IntN(5) == 0 {
		k.args[0] = "try"
	}
	names := d.names
	if d.IntN(3) > 0 {
		names = names[d.IntN(2):][:1]
	}
	client := uint64(d.IntN(3))
	var ids []string
	for _, name := range names {
		k.names, k.args = append(k.names, name), append(k.args, name)
		if after := len(d.ids) > 0 && d.IntN(3) == 0; after {
			if id := d.one(); d.of[id] == name {
				k.args, k.tokens = append(k.args, d.end()+id), append(k.tokens, 0)
			}
		}
		id := idText("", backends.GrantID{Client: client, Seq: uint64(len(d.ids) + len(ids) + 1)})
		ids = append(ids, id)
		d.of[id] = name
		args, tokens := d.request(id, life)
		d.wants[id] = args[1]
		k.args, k.tokens = append(k.args, args...), append(k.tokens, tokens)
		alone := dieCall{script: "op", names: []string{name}, args: append([]any{k.args[0], name}, args...), tokens: []int{tokens}}
		d.asked[id] = alone // as the client does once it has had an answer
	}
	if d.IntN(2) == 0 {
		d.asked[ids[0]] = k
	}
	d.ids = append(d.ids, ids...)
	return k
}

func (d *dice) request(id, life string) (args []any, tokens int) {
	mark, weight, brief := string("hsHS"[d.IntN(4)]), d.capacity, micros(hour)
	if d.IntN(3) == 0 {
		weight = 1 + d.IntN(d.capacity)
	}
	if d.IntN(8) == 0 {
		brief = "1"
	}
	tokens = 1 + d.IntN(3)
	want := fmt.Sprint(d.kind, d.capacity, weight, tokens, " ", life, " ", mark+brief)
	secret := fmt.Sprintf("%x", d.Uint64())
	owner := `{"h":"aA==","p":1,"l":""}`
	return []any{id, want, secret, owner}, tokens
}
