package cli

import (
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestRunExitsAsTheCommandDoes(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		start(t, in, "run", "a", "--", "true").ends(0)
		start(t, in, "run", "a", "--", "sh", "-c", "exit 7").ends(7)
		start(t, in, "run", "a", "--", "sh", "-c", "exit 75").ends(75)
		start(t, in, "run", "a", "--", "sh", "-c", "kill -9 $$").ends(128 + 9)
		start(t, in, "run", "a", "sh", "-c", "exit 8").ends(8) // -- may be left out
		start(t, in, "run", "a", "--", "sh", "-c", `exit $#`, "x", "--", "-n").ends(2)
	})
}

func TestRunPassesStreamsAndEnvironment(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		t.Setenv("LOCK_TOKEN", "inherited")
		p := start(t, in, "run", "a b", "--", "sh", "-c", `cat; echo "$LOCK_NAME=$LOCK_TOKEN"; echo oops >&2`)
		p.Say("through")
		p.CloseInput()
		p.Expect("through")
		token, err := strconv.ParseUint(p.Expect("a b="), 10, 64)
		if err != nil || token == 0 {
			t.Errorf("token %d, %v", token, err)
		}
		if stderr := p.ends(0); stderr != "oops\n" {
			t.Errorf("standard error %q, want only the command's", stderr)
		}
	})
}

func TestTokenIsTheGrantsAndIncreases(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		b := client(t, in)
		last := uint64(0)
		for range 3 {
			p := start(t, in, "run", "a", "--", "sh", "-c", `echo $LOCK_TOKEN; cat`)
			token, err := strconv.ParseUint(p.Expect(""), 10, 64)
			if err != nil || token <= last {
				t.Errorf("token %d after %d, %v", token, last, err)
			}
			last = token
			s := until(t, b, "a", "it is held", func(s backends.State) bool { return len(s.Holders) == 1 })
			if s.Holders[0].Token > token || s.Token < token {
				t.Errorf("LOCK_TOKEN=%d, the store knows %+v", token, s)
			}
			p.let()
		}
	})
}

func TestNestedRunsHaveTheirOwnTokens(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, in, "run", "outer", "--", "sh", "-c",
			`echo $LOCK_NAME; LOCKKEEPER_PROCTEST_HELPER=lockkeeper `+self+` run inner -- sh -c 'echo $LOCK_NAME'`)
		p.Expect("outer")
		p.Expect("inner")
		p.ends(0)
	})
}

func TestBusy(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		p := hold(t, in, "--label", "backup of today", "a")
		for _, flags := range [][]string{{"-n"}, {"--no-wait"}, {"-w", "0"}, {"--wait=30ms"}, {"-w", "0.03"}} {
			q := start(t, in, append(append([]string{"run"}, flags...), "a", "--", "echo", "started")...)
			q.saysNothing()
			stderr := q.ends(75)
			contains(t, stderr, `lockkeeper: acquire "a": busy`, ": held by pid ", " (backup of today) since ")
			if strings.Contains(flags[len(flags)-1], "3") { // a wait, not a try
				contains(t, stderr, ", 0 waiting") // the one that has given up does not count
			}
		}
		start(t, in, "run", "-n", "b", "--", "true").ends(0) // another name
		p.let()
		start(t, in, "run", "-n", "a", "--", "true").ends(0)
	})
}

func TestUsageErrorsTouchNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	for _, args := range [][]string{
		{"run"},
		{"run", "a"},
		{"run", "a", "--"},
		{"run", "a", "--", ""},
		{"run", "a", "--no-such-flag", "--", "true"},
		{"run", "--no-such-flag", "a", "--", "true"},
		{"run", "-n", "-w", "1s", "a", "--", "true"},
		{"run", "-w", "soon", "a", "--", "true"},
		{"run", "--wait=-1s", "a", "--", "true"},
		{"run", "-w", "NaN", "a", "--", "true"},
		{"run", "-w", "1e300", "a", "--", "true"},
		{"run", "", "--", "true"},
		{"run", strings.Repeat("x", 1025), "--", "true"},
		{"run", "--ttl", "0", "a", "--", "true"},
		{"run", "--ttl", "99999h", "a", "--", "true"},
		{"run", "--label", strings.Repeat("x", 1025), "a", "--", "true"},
		{"run", "--permits", "2", "a", "--", "true"},
		{"run", "--capacity", "0", "a", "--", "true"},
		{"run", "--capacity", "2", "--permits", "3", "a", "--", "true"},
		{"run", "--capacity", "2", "--permits", "0", "a", "--", "true"},
		{"run", "--capacity", "2", "--permits", "-1", "a", "--", "true"},
		{"run", "--capacity", "-2", "a", "--", "true"},
		{"run", "--wait", "-1s", "a", "--", "true"},
		{"run", "--store", "--no-wait", "a", "--", "true"},
		{"run", "--capacity", "9223372036854775807", "a", "--", "true"},
		{"run", "--capacity", "2", "--read", "a", "--", "true"},
		{"run", "a", "echo", "--", "true"},
		{"run", "-s", "-x", "a", "--", "true"},
		{"run", "-c", "true"},
		{"run", "-c", "true", "a", "--", "true"},
		{"run", "-c", "true", "a", "b"},
		{"run", "-E", "256", "a", "--", "true"},
		{"run", "-E", "-1", "a", "--", "true"},
		{"run", "-q", "-v", "a", "--", "true"},
		{"run", "--hold"},
		{"run", "a", "--also", "a", "--", "true"},
		{"run", "a", "--also", "", "--", "true"},
		{"run", "a", "--also", "b", "--also-read", "b", "--", "true"},
		{"run", "a", "--also-capacity", "b", "--", "true"},
		{"run", "a", "--also-capacity", "x:b", "--", "true"},
		{"run", "a", "--also-capacity", "0:b", "--", "true"},
		{"run", "--hold", "a", "--", "true"},
		{"run", "--hold", "-c", "true", "a"},
		{"run", "--read", "--write", "a", "--", "true"},
		{"run", "--store", "memory:", "a", "--", "true"},
		{"run", "--store", "etcd://host", "a", "--", "true"},
		{"nonsense"},
	} {
		p := start(t, "file:"+dir, args...)
		p.saysNothing()
		if code, stderr := p.code(); code != 64 || !strings.HasPrefix(stderr, "lockkeeper: ") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: exit status %d, standard error %q, want 64 and one line of lockkeeper's", args, code, stderr)
		}
	}
	found, err := filepath.Glob(dir + "/*/*")
	if err != nil || len(found) > 0 {
		t.Errorf("left behind: %q, %v", found, err)
	}
}

// Neither names nor file names need to be text.
func TestArgumentsArePassedByteByByte(t *testing.T) {
	const odd = "a\xff{\n\xfe\U0010ffff\x01"
	eachStore(t, func(t *testing.T, in string) {
		p := start(t, in, "run", "--label", odd, odd, "--", "sh", "-c", `printf %s "$LOCK_NAME$1" | od -An -v -tx1 | tr -d ' \n'; echo; cat`, "sh", odd)
		if got, want := p.Expect(""), hex.EncodeToString([]byte(odd+odd)); got != want {
			t.Errorf("the command was given %s, want %s", got, want)
		}
		state, err := client(t, in).Inspect(t.Context(), odd)
		if err != nil || len(state.Holders) != 1 || state.Holders[0].Owner.Label != odd {
			t.Errorf("%q is not held under its name and label: %+v, %v", odd, state, err)
		}
		p.let()
	})
}

func TestACommandThatCannotRunTakesNoTurn(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		p := hold(t, in, "a") // were the lock asked for, these would wait for ever
		start(t, in, "run", "a", "--", "no-such-command").ends(127)
		start(t, in, "run", "a", "--", "/no/such/command").ends(127)
		start(t, in, "run", "a", "--", "/").ends(126)
		p.let()
	})
}

func TestOneNameOneKind(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		p := hold(t, in, "a")
		contains(t, start(t, in, "run", "--capacity", "2", "a", "--", "true").ends(64), `"a" is in use as a lock`)
		p.let()
		p = hold(t, in, "--capacity", "2", "a")
		contains(t, start(t, in, "run", "--capacity", "3", "a", "--", "true").ends(64), "as a semaphore of 2 permits, not as a semaphore of 3")
		p.let()
	})
}

func TestReadersShareWritersDoNot(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		one := hold(t, in, "--read", "a")
		two := hold(t, in, "--shared", "a")
		start(t, in, "run", "-n", "--write", "a", "--", "true").ends(75)
		one.let()
		two.let()
		w := hold(t, in, "--write", "a")
		start(t, in, "run", "-n", "--read", "a", "--", "true").ends(75)
		start(t, in, "run", "-n", "--exclusive", "a", "--", "true").ends(75)
		w.let()
	})
}

func TestPermits(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		one := hold(t, in, "--capacity", "3", "a")
		two := hold(t, in, "--capacity", "3", "--permits", "2", "a")
		start(t, in, "run", "-n", "--capacity", "3", "a", "--", "true").ends(75)
		one.let()
		start(t, in, "run", "-n", "--capacity", "3", "a", "--", "true").ends(0)
		start(t, in, "run", "-n", "--capacity", "3", "--permits", "2", "a", "--", "true").ends(75)
		two.let()
	})
}

// nobody returns an address on which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestUnreachableStore(t *testing.T) {
	addr := nobody(t)
	for _, flags := range [][]string{{"-w", "500ms"}, {"-n"}, {}} {
		p := start(t, "redis://user:secret@"+addr, append(append([]string{"run"}, flags...), "a", "--", "echo", "started")...)
		p.saysNothing()
		stderr := p.ends(69)
		if strings.Contains(stderr, "secret") {
			t.Errorf("the password is printed: %s", stderr)
		}
	}
}

// A store that cannot be one is a mistake of whoever named it, not a lack of rights.
func TestAStoreThatIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		p := start(t, "file:"+dir, "run", "a", "--", "echo", "started")
		p.saysNothing()
		stderr := p.ends(64)
		contains(t, stderr, "invalid directory", "something else is there")
		if strings.Contains(stderr, "permission") || strings.Count(stderr, dir) != 1 {
			t.Errorf("standard error %q; want the directory once, and nothing of permissions", stderr)
		}
	}
}

// A server that takes connections and never answers: whether the lock is busy is not known.
func TestASilentStoreIsNotBusy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes the connections
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := start(t, "redis://"+l.Addr().String(), "run", "-w", "50ms", "a", "--", "echo", "started")
	p.saysNothing()
	contains(t, p.ends(69), "unavailable", "no answer")
}

// A wait that is over is over: nothing that comes after it waits for a server that gives no answer.
func TestTheDeadlineHoldsThoughTheStoreIsSilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes the connections
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	old := closeTimeout
	closeTimeout = time.Hour // whoever takes it fails the test
	defer func() { closeTimeout = old }()
	for _, scheme := range []string{"redis://", "rediss://"} {
		wait := span(lookTimeoutBusy)
		r := runCmd{Store: scheme + l.Addr().String(), Wait: &wait, TTL: span(10 * time.Second), Name: "a",
			Args: []string{"--", "true"}}
		var code exitCode
		stderr := written(t, func(f *os.File) { code = r.run(streams{err: f}, nil) })
		if code != exitUnavailable {
			t.Errorf("%s: status %d, %s; want %d", scheme, code, stderr, exitUnavailable)
		}
		contains(t, stderr, "no answer")
	}
}

// The look for the holder of a busy lock is over when the wait is.
func TestTheLookIsOverWithTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, wait := range []time.Duration{lookTimeoutBusy, 5 * time.Second, time.Hour} {
			begin, w := time.Now(), span(wait)
			r := runCmd{Wait: &w}
			<-r.lookTime()
			if end := time.Since(begin) + lookTimeoutBusy; end != wait {
				t.Errorf("a wait of %v: the look may last until %v", wait, end)
			}
		}
	})
}

// written returns what do writes to a file.
func written(t *testing.T, do func(*os.File)) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "written"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	do(f)
	text, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What the server says of the way in is told by the exit status.
func TestStatusTellsRightsFromMisuse(t *testing.T) {
	locked, open := redistest.Start(t, "--requirepass", "secret").Addr, redistest.Start(t).Addr
	for in, want := range map[string]int{
		"redis://" + locked:              77,
		"redis://:wrong@" + locked:       77,
		"redis://other:wrong@" + locked:  77,
		"redis://other:wrong@" + open:    77,
		"redis://" + open + "/99":        64,
		"redis://" + open + "/-1":        64,
		"redis://" + open + "/x":         64,
		"redis://" + open + "/0/1":       64,
		"redis://" + open + "?nonsense=": 64,
		"redis://127.0.0.1:99999":        64,
		"redis://127.0.0.1:port":         64,
		"redis://":                       64,
	} {
		for _, args := range [][]string{{"run", "a", "--", "true"}, {"run", "-n", "a", "--", "true"},
			{"run", "-w", "90", "a", "--", "true"}, {"ls"}, {"ls", "a"}, {"top"}, {"break", "a"}, {"demo"}} {
			p := start(t, in, args...)
			code, stderr := p.code()
			if code != want || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "secret") {
				t.Errorf("%q with %s: status %d, want %d and one line: %s", args, in, code, want, stderr)
			}
		}
	}
}

// No message says the same twice.
func TestMessagesNameThingsOnce(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	h := hold(t, in, "thing")
	for _, c := range []struct {
		in   string
		args []string
	}{
		{in, []string{"run", "-n", "thing", "--", "true"}},
		{in, []string{"run", "-w", "30ms", "thing", "--", "true"}},
		{in, []string{"run", "--capacity", "2", "thing", "--", "true"}},
		{in, []string{"run", "-n", "--read", "thing", "--", "true"}},
		{in, []string{"run", "x", "--", "/no/such/thing"}},
		{in, []string{"run", "x", "--", "thing"}},
		{in, []string{"ls", "thing" + strings.Repeat("x", 1100)}},
		{"redis://" + nobody(t), []string{"run", "thing", "--", "true"}},
		{"redis://" + nobody(t), []string{"ls", "thing"}},
		{"redis://" + nobody(t), []string{"break", "thing"}},
	} {
		p := start(t, c.in, c.args...)
		_, stderr := p.code()
		if strings.Count(stderr, "thing") > 1 || strings.Contains(stderr, "context deadline") || strings.Count(stderr, "\n") > 1 {
			t.Errorf("%q: %s", c.args, stderr)
		}
	}
	h.let()
}

func TestAStoreThatDiesAtTheEndKeepsTheStatus(t *testing.T) {
	s := redistest.Start(t)
	p := start(t, "redis://"+s.Addr, "run", "a", "--", "sh", "-c", "echo held; cat; exit 3")
	p.Expect("held")
	s.Kill()
	p.CloseInput()
	contains(t, p.ends(3), "frees the lock by itself")
}

func TestNoPasswordIsPrinted(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "hunter2")
	in := "redis://:hunter2@" + s.Addr
	p := start(t, in, "run", "a", "--", "true")
	if stderr := p.ends(0); stderr != "" {
		t.Errorf("standard error %q", stderr)
	}
	for _, wrong := range []string{"redis://:wrong-hunter3@" + s.Addr, "redis://:wrong-hunter3@" + s.Addr + "/x?wrong-hunter3=1"} {
		p := start(t, wrong, "run", "-w", "5s", "a", "--", "true")
		code, stderr := p.code()
		if code != 77 && code != 64 && code != 69 || strings.Contains(stderr, "hunter") {
			t.Errorf("exit status %d, standard error %q", code, stderr)
		}
	}
	help := start(t, in, "run", "--help")
	for line, ok := help.Listen(); ok; line, ok = help.Listen() {
		if strings.Contains(line, "hunter") {
			t.Errorf("--help shows %q", line)
		}
	}
	help.ends(0)
}

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"500ms": 500 * time.Millisecond, "90": 90 * time.Second, "0.5": 500 * time.Millisecond, "0": 0, "1h30m": 90 * time.Minute,
	} {
		var s span
		if err := s.UnmarshalText([]byte(text)); err != nil || time.Duration(s) != want {
			t.Errorf("%q: %v, %v; want %v", text, time.Duration(s), err, want)
		}
	}
	for _, text := range []string{"", "-1s", "-1", "x", "NaN", "Inf", "1e300", "9223372037"} {
		var s span
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken for %v", text, time.Duration(s))
		}
	}
}
