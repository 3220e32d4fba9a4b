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
