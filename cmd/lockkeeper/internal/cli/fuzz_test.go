package cli

import (
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// A span is a duration that is not negative, or an error.
func FuzzSpan(f *testing.F) {
	for _, s := range []string{"", "1m30s", "90", "0.5", "-1", "NaN", "Inf", "9223372036.854775807", "9223372036.8547745", "1e300", "0x1p4", "1_000", "1h 2m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := span(-7)
		err := s.UnmarshalText([]byte(text))
		if err == nil && s < 0 || err != nil && s != -7 {
			t.Fatalf("%q is %v, %v", text, time.Duration(s), err)
		}
	})
}

// What a run tells its command of its locks, an inner run reads as it was, whatever else stands in the
// environment. The locks of outer runs stay, and each variable is set once.
func FuzzEnviron(f *testing.F) {
	f.Add("LOCK_NAME=x", "7:8:a+b", "name", "other", uint64(1764000000000001), 4711)
	f.Add("LOCKKEEPER_HELD=x", "", "\xff %:", "\n", uint64(math.MaxUint64), -1)
	f.Add("LOCK_TOKEN_2=7", "1:2: 3:4:5 :::", "LOCK_NAME", "LOCK_NAME", uint64(0), 0)
	f.Add("LOCK_NAMES=7", "1:2:%zz", "a", "b", uint64(1), 1)
	f.Fuzz(func(t *testing.T, entry, held, name, second string, token uint64, pid int) {
		if name == "" || second == "" {
			return // no lock has that name
		}
		locks := []lock{{name, token, pid}, {second, token / 2, pid}}
		outer := enclosing(held)
		env := environ([]string{entry, heldVariable + "=" + held}, locks)
		var got []lock
		seen := make(map[string]bool)
		for _, kv := range env {
			key, value, _ := strings.Cut(kv, "=")
			if seen[key] && ours(kv) {
				t.Fatalf("%q is twice in %q", key, env)
			}
			seen[key] = true
			if key == heldVariable {
				got = enclosing(value)
			}
		}
		for _, l := range slices.Concat(outer, locks) {
			if !slices.Contains(got, l) {
				t.Fatalf("%+v is not in %q, only %+v", l, env, got)
			}
		}
		if !slices.Contains(env, "LOCK_NAME="+name) || !slices.Contains(env, "LOCK_NAME_2="+second) {
			t.Fatalf("the names are not in %q", env)
		}
		if !ours(entry) && !slices.Contains(env, entry) {
			t.Fatalf("%q is not in %q", entry, env)
		}
	})
}

// Any arguments are a command line, or one error. Those of a run are a command under locks of different
// names, or an error of usage.
func FuzzArguments(f *testing.F) {
	for _, line := range []string{
		"run db -- true", "run -n -s db -- true", "run --wait 3 --capacity 3 --permits 2 db -- x y", "run -c x --hold db", "run --also a --also-read b --also-capacity 3:c db -- true",
		"run db --also db -- true", "run -E 300 db -- x", "run --at-least -1 db x", "run db", "run -- -- --", "run --also-capacity x db -- y", "ls --json a b", "show a", "top --every 1s", "break",
		"doctor --repair", "serve --listen x", "", "--version", "run --help", "completion bash", "run --wait= --ttl=NaN \xff -- \xff", "run -nsx db", "--=", "run -", "run --label", "demo --for 1s",
	} {
		f.Add(strings.ReplaceAll(line, " ", "\x00"))
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { null.Close() })
	f.Fuzz(func(t *testing.T, line string) {
		t.Setenv("LOCKKEEPER_STORE", "")
		args := strings.Split(line, "\x00")
		if len(args) > 0 && args[0] == "" {
			args = args[1:]
		}
		startsAtOnce(args)
		ctx, done, err := parse(args, streams{in: null, out: null, err: null}, io.Discard)
		if done >= 0 || err != nil {
			if err != nil && err.Error() == "" {
				t.Fatalf("%q: an error without words", args)
			}
			return
		}
		switch cmd := ctx.Selected().Target.Addr().Interface().(type) {
		case *runCmd:
			checkRun(t, args, cmd)
		case subcommand:
		default:
			t.Fatalf("%q does nothing", args)
		}
	})
}

func checkRun(t *testing.T, args []string, r *runCmd) {
	argv, err := r.argv()
	if err != nil && !errors.Is(err, backends.ErrInvalid) {
		t.Fatalf("%q: %v", args, err)
	}
	if err == nil && (len(argv) == 0) != r.Hold {
		t.Fatalf("%q runs %q", args, argv)
	}
	if label := labelOf(argv); label == "" && len(argv) > 0 || len(label) > backends.MaxName {
		t.Fatalf("%q has the label %q", args, label)
	}
	ps, err := r.parts()
	if err != nil {
		if !errors.Is(err, backends.ErrInvalid) {
			t.Fatalf("%q: %v", args, err)
		}
		return
	}
	names := make(map[string]bool)
	for _, p := range ps {
		if names[p.name] {
			t.Fatalf("%q holds %q twice", args, p.name)
		}
		names[p.name] = true
	}
	if r.grace() < 0 || r.Wait != nil && *r.Wait < 0 {
		t.Fatalf("%q: grace %v", args, r.grace())
	}
}
