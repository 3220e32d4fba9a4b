//go:build unix

package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// shellPage is the command lines of a page, as a shell reads them, and what they need.
type shellPage struct {
	t     *testing.T
	dir   string // where they run; it has lockkeeper, and the programs that they start
	store string
	edit  func(string) string
}

// A program of the pages says that it runs, and with what.
const stub = "#!/bin/sh\necho \"ran ${0##*/} $*\"\n"

func newShellPage(t *testing.T) *shellPage {
	t.Helper()
	locks, dir := t.TempDir()+"/locks", t.TempDir()
	self := proctest.Command(t, "lockkeeper")
	var env []string
	for _, kv := range self.Env {
		if strings.HasPrefix(kv, "LOCKKEEPER_") || strings.HasPrefix(kv, "GORACE=") {
			env = append(env, "'"+kv+"'")
		}
	}
	files := map[string]string{"lockkeeper": "#!/bin/sh\nexec env " + strings.Join(env, " ") + " '" + self.Path + "' \"$@\"\n"}
	for _, name := range []string{"pg_dump", "rsync", "deploy.sh", "report.sh", "pack.sh", "import.sh", "search.sh"} {
		files[name] = stub
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	addr := server.Get(t).Addr
	t.Cleanup(func() { server.Get(t).Client(t).FlushAll(context.Background()) })
	db := regexp.MustCompile(`redis://db1(:6379)?\b`)
	return &shellPage{t: t, dir: dir, store: "file:" + locks, edit: func(line string) string {
		return strings.ReplaceAll(db.ReplaceAllString(line, "redis://"+addr), "file:/run/locks", "file:"+locks+"-2")
	}}
}

func (p *shellPage) shell(line string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", p.edit(line)) // one of them evaluates a completion for bash
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "PATH="+p.dir+":"+os.Getenv("PATH"), "LOCKKEEPER_STORE="+p.store, "LC_ALL=C")
	return cmd
}

// stop ends a line that goes on until a signal.
func (p *shellPage) stop(q *proctest.Process) {
	p.t.Helper()
	q.Signal(syscall.SIGTERM)
	_ = q.Wait() // says in words what State says in numbers
	if code := q.State().ExitCode(); code != 0 && code != 128+int(syscall.SIGTERM) {
		p.t.Errorf("status %d", code)
	}
}

// The command lines of the README and of the page of the command do what they say, as they stand there.
func TestTheCommandsOfThePagesRun(t *testing.T) {
	line := regexp.MustCompile(`(?m)^(?:LOCKKEEPER_STORE=\S+ |eval "\$\()?lockkeeper .*$`)
	for file, want := range map[string]int{"README.md": 8, "docs/shell.md": 15} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("../../../..", file))
			if err != nil {
				t.Fatal(err)
			}
			p := newShellPage(t)
			lines := line.FindAllString(string(text), -1)
			if len(lines) != want {
				t.Errorf("%d command lines, want %d: %q", len(lines), want, lines)
			}
			for _, l := range lines {
				if many := regexp.MustCompile(`many hosts|all machines`); many.MatchString(l) && !strings.Contains(l, "redis://") {
					t.Errorf("%s: the default store is of one machine", l)
				}
				p.run(l)
			}
		})
	}
}

// The first example of the command in the README says where its lock is.
func TestTheFirstExampleSaysWhereTheLockIs(t *testing.T) {
	text, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\nlockkeeper run ")
	first, _, _ := strings.Cut(after, "\nlockkeeper ")
	for _, says := range []string{"~/.local/state/lockkeeper", "/var/lib/lockkeeper", "terminal", "cron", "systemd"} {
		if !found || !strings.Contains(first, says) {
			t.Errorf("it does not say %s: %q", says, first)
		}
	}
}

// started finds what a line of run starts.
var started = regexp.MustCompile(`-- (?:\./)?(.*?)\s*(?:#|$)|-c '(.*)'`)

func (p *shellPage) run(line string) {
	p.t.Helper()
	const name = "nightly-backup"
	var says string
	switch words := strings.Fields(line[strings.Index(line, "lockkeeper "):]); {
	case words[1] == "run" && strings.Contains(line, "--hold"):
		q := proctest.Run(p.t, p.shell("exec "+line))
		until(p.t, client(p.t, p.store), "maintenance", "it is held", func(s backends.State) bool { return len(s.Holders) == 1 })
		p.stop(q)
		return
	case words[1] == "run":
		command := started.FindStringSubmatch(line)
		says = "ran " + command[1] + command[2]
	case words[1] == "serve":
		q := proctest.Run(p.t, p.shell("exec "+line))
		q.Expect("http://")
		p.stop(q)
		return
	case slices.Contains([]string{"ls", "show", "break"}, words[1]):
		defer hold(p.t, p.store, name).Kill()
		says = name
	}
	if out, err := p.shell(line).CombinedOutput(); err != nil || !strings.Contains(string(out), says) {
		p.t.Errorf("%s: %v; it says %q, want %q", line, err, out, says)
	}
}

// The two scripts of the page for those who come from flock(1) do the same, and exclude each other.
func TestTheScriptsForFlockExcludeEachOther(t *testing.T) {
	if !installed(t, "flock") {
		return
	}
	p := newShellPage(t)
	dir := t.TempDir()
	script := func(name string) *exec.Cmd {
		text, err := os.ReadFile("../../../../bench/migrating/backup-" + name + ".sh")
		if err != nil {
			t.Fatal(err)
		}
		return p.shell(strings.ReplaceAll(string(text), "/run/locks", dir))
	}
	run := func(name, want string) {
		t.Helper()
		cmd := script(name)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil || out.String() != want || errs.Len() > 0 { // cron would mail it
			t.Errorf("%s: %v, %q, want %q; %s", name, err, &out, want, &errs)
		}
	}
	const ran = "ran pg_dump -f /backup/db.sql\n"
	run("before", ran)
	run("after", ran)
	slow := "#!/bin/sh\necho runs\ncat >/dev/null\n"
	if err := os.WriteFile(filepath.Join(p.dir, "pg_dump"), []byte(slow), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, first := range []string{"before", "after"} {
		q := proctest.Run(t, script(first))
		q.Expect("runs")
		run("before", "")
		run("after", "")
		q.CloseInput()
		if err := q.Wait(); err != nil {
			t.Errorf("%s: %v", first, err)
		}
	}
}
