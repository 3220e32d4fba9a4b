package recipes

import (
	"os"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// A server with the settings of docs/operating.md is fit for locks.
func TestTheSettingsOfRedisLeaveNothingToMend(t *testing.T) {
	text, err := os.ReadFile("redis.conf")
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); words[0] != "#" {
			args = append(args, append([]string{"--" + words[0]}, words[1:]...)...)
		}
	}
	b, err := redis.New(redistest.Start(t, args...).Client(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(t.Context())
	found, err := b.Check(t.Context())
	if err != nil || len(found) < 5 {
		t.Errorf("%+v, %v", found, err)
	}
	for _, f := range found {
		if f.Level > backends.Note {
			t.Errorf("%v %s: %s", f.Level, f.Topic, f.What)
		}
	}
}
