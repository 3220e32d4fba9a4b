package redis

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// A grant that is kept is nobody's: no command of its client but Break, late, repeated or copied,
// gives its permits back, prolongs it or brings it back to life.
func TestKeptGrantIsNobodys(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, also := range []bool{false, true} { // another grant is out, so each has a record of its own
		name, capacity, weight := fmt.Sprint("job ", also), 4, 3
		w := newTwin(t, ctx, redistest.Start(t).Client(t), "kept:", opScript.source().text)
		op := func(args ...any) string {
			return fmt.Sprint(w.eval(t, dieCall{script: "op", alive: micros(hour), names: []string{name}, args: append([]any{"wait", name}, args...)}))
		}
		id, other := idText("", backends.GrantID{Client: 1, Seq: 1}), idText("", backends.GrantID{Client: 2, Seq: 7})
		request := func(id string, weight int) []any {
			return []any{id, fmt.Sprintf("3 %d %d 1 %s h%s", capacity, weight, micros(hour), micros(hour)), "a", `{"h":"aA==","p":1,"l":""}`}
		}
		op(request(id, weight)...)
		if also {
			op(request(other, 1)...)
		}
		op(endKeeping+micros(hour)+" "+id, endForGood+id)
		state := func() string {
			v := w.eval(t, dieCall{script: "inspect", alive: micros(hour), names: []string{name}})
			s, err := parseState(name, row(v.([]any)))
			if err != nil {
				t.Fatal(err)
			}
			for i := range s.Holders {
				if h := &s.Holders[i]; h.Weight == int64(weight) {
					return fmt.Sprint(h.Kept > 0, h.Expires, h.Token, h.ID)
				}
			}
			return "nothing is kept"
		}
		before := state()
		for _, late := range [][]any{
			{endGrant + id}, {endKeeping + "1 " + id}, {endAny + id}, {endForGood + id}, request(id, weight),
		} {
			answer := op(late...)
			if after := state(); after != before || after[:4] != "true" {
				t.Errorf("%v: answer %s; %s, before: %s", late, answer, after, before)
			}
		}
		renewed := fmt.Sprint(w.eval(t, dieCall{script: "renew", alive: micros(hour), names: []string{name}, args: []any{id, micros(hour), "0"}}))
		if renewed != "[[0]]" {
			t.Errorf("a renewal was answered %s", renewed)
		}
	}
}

// A grant that is detached is nobody's: no command of its old client but Break, late, repeated or
// copied, gives its permits back, prolongs it or brings it back to life; nor does one that does not
// know the proof. Once it is adopted, it is the adopter's, who may repeat the adoption.
func TestDetachedGrantIsNobodys(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w := newTwin(t, ctx, redistest.Start(t).Client(t), "detached:", opScript.source().text)
	for _, also := range []bool{false, true} { // another grant is out, so each has a record of its own
		name, capacity, weight := fmt.Sprint("job ", also), 4, 3
		call := func(script string, args ...any) string {
			return fmt.Sprint(w.eval(t, dieCall{script: script, alive: micros(hour), names: []string{name}, args: args}))
		}
		op := func(args ...any) string { return call("op", append([]any{"wait", name}, args...)...) }
		id, other := idText("", backends.GrantID{Client: 1, Seq: 1}), idText("", backends.GrantID{Client: 2, Seq: 7})
		heir, late := idText("", backends.GrantID{Client: 3, Seq: 2}), idText("", backends.GrantID{Client: 4, Seq: 9})
		want := func(weight int) string {
			return fmt.Sprintf("3 %d %d 1 %s h%s", capacity, weight, micros(hour), micros(hour))
		}
		owner := `{"h":"aA==","p":1,"l":""}`
		request := func(id string, weight int) []any { return []any{id, want(weight), "a", owner} }
		if also {
			op(request(other, 1)...)
		}
		op(request(id, weight)...)
		state := func() string {
			v := w.eval(t, dieCall{script: "inspect", alive: micros(hour), names: []string{name}})
			s, err := parseState(name, row(v.([]any)))
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprint(len(s.Waiters))
			for _, h := range s.Holders {
				text += fmt.Sprint(" ", h.ID, h.Detached, h.Token, h.Weight, h.Owner, h.Kept)
			}
			return text
		}
		detach := []any{name, id, micros(hour), "0", "5", seal("proof")}
		if got := call("detach", detach...); got != "1" {
			t.Fatalf("detach was answered %s", got)
		}
		holds := state()
		same := func(what, answer, want string) {
			t.Helper()
			if after := state(); after != holds || answer != want {
				t.Errorf("%s: answer %s, want %s; state\n%s, before\n%s", what, answer, want, after, holds)
			}
		}
		adopt := func(old, proof, by string, weight int) string {
			return call("adopt", name, old, proof, by, want(weight), owner)
		}
		outOfReach := func() {
			for _, end := range []string{endGrant, endKeeping + micros(hour) + " ", endAny} {
				same("a release "+end, op(end+id), "[0]")
			}
			same("a renewal", call("renew", id, micros(hour), "0"), "[[0]]")
			same("another proof", adopt(id, "proof?", late, weight), "0")
			same("fewer permits", adopt(id, "proof", late, 1), "0")
			same("a grant that is held", adopt(other, "proof", late, 1), "0")
		}
		outOfReach()
		same("another seal", call("detach", name, id, micros(hour), "0", "5", seal("other")), "0")
		same("detached again", call("detach", detach...), "1")
		same("a late acquire", op(request(id, weight)...), fmt.Sprint([]any{[]any{codeGivenUp}}))
		if got := adopt(id, "proof", heir, weight); got != "[1 5 0]" {
			t.Fatalf("adopt was answered %s", got)
		}
		holds = state()
		outOfReach()
		same("adopted again", adopt(id, "proof", heir, weight), "[1 5 0]")
		same("adopted by another", adopt(id, "proof", late, weight), "0")
		same("a late detachment", call("detach", detach...), "0")
		same("a given up adoption", op(endForGood+late), "[0]")
		if got := op(endForGood + heir); got != "[1]" {
			t.Errorf("the release of the adopted grant was answered %s", got)
		}
		holds = state()
		same("an adoption after its release", adopt(id, "proof", heir, weight), "0")
	}
}
