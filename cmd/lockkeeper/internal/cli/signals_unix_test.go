//go:build unix

package cli

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// through runs a command through another one: sh -c script sh, and then the command as "$@".
func through(t *testing.T, script string) func(*exec.Cmd) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	return func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"sh", "-c", script, "sh", cmd.Path}, cmd.Args[1:]...)
		cmd.Path = sh
	}
}

// What was ignored when lockkeeper was started is ignored by the command, as it is without lockkeeper.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("no /proc here: not tested")
		return
	}
	in := "file:" + t.TempDir() + "/locks"
	for _, signals := range []string{"HUP", "INT", "HUP INT", "INT QUIT", "TERM", "QUIT USR1 USR2", "PIPE", "TSTP TTIN TTOU",
		"ALRM WINCH URG", "HUP INT QUIT TERM USR1 USR2 PIPE TSTP"} {
		if !command.KnowsIgnored && strings.Trim(signals, "HUPINT ") != "" {
			continue // a build without cgo knows of two
		}
		const show = `grep SigIgn: /proc/self/status`
		want, err := exec.Command("sh", "-c", "trap '' "+signals+"; exec "+show).Output()
		if err != nil {
			t.Fatal(err)
		}
		p := startWith(t, in, through(t, "trap '' "+signals+`; exec "$@"`), "run", "a", "--", "sh", "-c", "exec "+show)
		got, _ := p.Listen()
		p.ends(0)
		if got != strings.TrimSpace(string(want)) {
			t.Errorf("%s: the command has %q, want %q", signals, got, want)
		}
	}
}

// A signal that is ignored ends neither lockkeeper nor the command.
func TestAnIgnoredSignalEndsNothing(t *testing.T) {
	ignored := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT}
	if command.KnowsIgnored {
		ignored["TERM"], ignored["QUIT"], ignored["USR1"] = syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1
	}
	for name, sig := range ignored {
		p := startWith(t, "file:"+t.TempDir()+"/locks", through(t, "trap '' "+name+`; exec "$@"`),
			"run", "a", "--", "sh", "-c", "echo ready; cat")
		p.Expect("ready")
		p.Signal(sig)
		p.Say("still there")
		p.Expect("still there")
		p.CloseInput()
		p.ends(0)
	}
}

// stuck returns a pipe that takes nothing more, and whose reader is there.
func stuck(t *testing.T) *os.File {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close(); writer.Close() })
	fill(t, writer)
	return writer
}

// A standard error that takes nothing keeps no command from its SIGTERM, and no lease from its status.
func TestTheCommandIsEndedThoughNothingCanBeSaid(t *testing.T) {
	theirs := stuck(t)
	gone, broken, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	defer broken.Close()
	for name, change := range map[string]func(*exec.Cmd){
		"closed":              through(t, `exec "$@" 2>&-`),
		"all closed":          through(t, `exec 3>&1; exec "$@" <&- 2>&-`),
		"full":                through(t, `exec "$@" 2>/dev/full`),
		"the reader has gone": func(cmd *exec.Cmd) { cmd.Stderr = broken },
		"the reader is stuck": func(cmd *exec.Cmd) { cmd.Stderr = theirs },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			p := startWith(t, "file:"+dir, change, "run", "--grace", "1h", "a", "--",
				"sh", "-c", `exec 2>/dev/null; trap "echo got TERM; exit 3" TERM; echo held; while :; do sleep 0.01; done`)
			p.Expect("held")
			remove(t, dir)
			p.Expect("got TERM")
			if name == "the reader is stuck" { // lockkeeper waits to say so; the lock is free
				start(t, "file:"+dir, "run", "a", "--", "true").ends(0)
				p.Signal(syscall.SIGTERM)
			}
			p.saysNothing()
			p.ends(76)
		})
	}
}

// A message that standard error does not take, as of a terminal that ^S has stopped, does not keep
// the command from its start: it would hold the lock for nothing.
func TestAStuckMessageDelaysNoCommand(t *testing.T) {
	theirs := stuck(t)
	p := startWith(t, "file:"+t.TempDir()+"/locks", func(cmd *exec.Cmd) { cmd.Stderr = theirs }, "run", "--verbose", "a", "--",
		"sh", "-c", "exec 2>/dev/null; trap '' TERM; echo started")
	p.Expect("started")
	p.Signal(syscall.SIGTERM) // nobody waits for the messages any longer
	p.ends(0)
}

// fill writes to a pipe until it takes no more, and leaves it blocking.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Write(func(fd uintptr) bool {
		for {
			if _, err := syscall.Write(int(fd), make([]byte, 512)); err != nil {
				return true
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	w.Fd() // makes it blocking again
}

// A file that the kernel does not execute is a script, as for every shell.
func TestAScriptNeedsNoFirstLine(t *testing.T) {
	in, dir := "file:"+t.TempDir()+"/locks", t.TempDir()
	for name, text := range map[string]string{"job": "echo ran $1 $LOCK_NAME", "-n": "echo ran $1 $LOCK_NAME", "empty": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	there := func(cmd *exec.Cmd) { cmd.Dir = dir; cmd.Env = append(cmd.Env, "PATH="+":"+os.Getenv("PATH")) }
	for _, program := range []string{"./job", filepath.Join(dir, "job"), "job", "-n"} {
		p := startWith(t, in, there, "run", "a", "--", program, "x")
		p.Expect("ran x a")
		p.ends(0)
	}
	startWith(t, in, there, "run", "a", "--", "./empty").ends(0)
}

// What cannot be started is refused before a turn is waited for.
func TestWhatCannotStartTakesNoTurn(t *testing.T) {
	in, dir := "file:"+t.TempDir()+"/locks", t.TempDir()
	for name, mode := range map[string]os.FileMode{"plain": 0o600, "lost": 0o700, "env": 0o700} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/no/such/interpreter\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	h := hold(t, in, "a")
	for program, want := range map[string]int{
		dir: 126, dir + "/plain": 126, dir + "/lost": 127, dir + "/none": 127, dir + "/plain/below": 127, "no-such-program": 127,
	} {
		start(t, in, "run", "a", "--", program).ends(want)
	}
	inPath := func(path string) func(*exec.Cmd) {
		return func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "PATH="+path) }
	}
	startWith(t, in, inPath(""), "run", "a", "--", "sh").ends(127)
	startWith(t, in, inPath(dir), "run", "a", "--", "plain").ends(126)
	h.let()
	startWith(t, in, inPath(dir+":/bin:/usr/bin"), "run", "a", "--", "true").ends(0)
	startWith(t, in, through(t, `unset PATH; exec "$@"`), "run", "a", "--", "true").ends(0) // the usual path
}

// A command that has become another user cannot be ended: that is said, the status is that of a lost
// lease, and it comes when the command has ended.
func TestACommandThatMayNotBeSignalledIsReported(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("needs root: not tested")
		return
	}
	plain, root, dir := setuid(t)
	in := "file:" + dir + "/locks"
	said, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	user := func(cmd *exec.Cmd) {
		cmd.Path, cmd.Dir = plain, dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
	}
	run := func(grace string) process {
		return startWith(t, in, func(cmd *exec.Cmd) {
			user(cmd)
			cmd.Stderr = theirs
		}, "run", "--grace", grace, "a", "--", "env", "LOCKKEEPER_PROCTEST_HELPER=becomes-root", root)
	}
	lines := bufio.NewReader(said)
	lost := run("20ms")
	lost.Expect("root")
	killed := run("0")
	theirs.Close()
	remove(t, dir+"/locks/a.lock")
	for _, want := range []string{"cannot be signalled", "ending the command"} {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		contains(t, line, "lost", want)
	}
	killed.Expect("root") // the next holder began beside the first: that was said
	lost.CloseInput()
	lost.saysNothing()
	lost.ends(76)

	killed.Kill() // the front: the holder keeps the lock until the command has ended
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	contains(t, line, "cannot be signalled", "operation not permitted")
	startWith(t, in, user, "run", "-n", "a", "--", "true").ends(75)
	killed.CloseInput()
	startWith(t, in, user, "run", "a", "--", "true").ends(0)
}

// setuid returns a copy of this program, one that may become root, and a directory with a store, for
// user 1000.
func setuid(t *testing.T) (plain, root, dir string) {
	t.Helper()
	dir = t.TempDir()
	plain, root = filepath.Join(dir, "plain"), filepath.Join(dir, "root")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, root} {
		if err := os.WriteFile(path, text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o755, root: 0o755 | os.ModeSetuid} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir+"/locks", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir+"/locks", 1000, 1000); err != nil {
		t.Fatal(err)
	}
	return plain, root, dir
}

// becomesRoot is a command that changes its user, as sudo does.
func becomesRoot(c *proctest.Child) error {
	if err := syscall.Setuid(0); err != nil {
		return err
	}
	c.Say("root") // with nosuid, it is not
	for _, ok := c.Listen(); ok; _, ok = c.Listen() {
	}
	return nil
}

func registerHelpers() { proctest.Register("becomes-root", becomesRoot) }
