package cli

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// The refusal names the holder: a busy try asks the store nothing besides.
func TestABusyTryIsOneCommand(t *testing.T) {
	s := server.Get(t)
	holder := client(t, "redis://"+s.Addr) // without a manager: nothing is renewed meanwhile
	r := backends.Resource{Kind: backends.Mutex, Name: "busy", Capacity: 1}
	grant, err := backends.Acquire(t.Context(), holder, backends.Request{
		Resource: r, Weight: 1, Tokens: 1, TTL: time.Hour, Owner: backends.Owner{Host: "db1", PID: 4711, Label: "backup"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var scripts atomic.Int64
	way := s.NewProxy(t)
	way.Judge(func(request []byte) redistest.Verdict {
		scripts.Add(int64(strings.Count(strings.ToLower(string(request)), "evalsha")))
		return redistest.Pass
	})
	try := start(t, "redis://"+way.Addr, "run", "-n", "busy", "--", "true")
	contains(t, try.ends(75), "held by pid 4711 on db1 (backup) since ")
	if n := scripts.Load(); n != 1 {
		t.Errorf("%d commands", n)
	}
	if err := backends.Release(t.Context(), holder, grant); err != nil {
		t.Error(err)
	}
}
