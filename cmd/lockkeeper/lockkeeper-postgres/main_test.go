package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

var server pgtest.Shared

func TestMain(m *testing.M) { leaktest.Main(server.Main(m)) }

// command is the built program, with a store in its environment.
type command struct {
	*testing.T
	path, store string
}

func (c command) cmd(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.Context(), c.path, args...)
	cmd.Env = append(os.Environ(), "LOCKKEEPER_STORE="+c.store, "LC_ALL=C")
	return cmd
}

// says runs the program, which must end with this exit status, and expects words of its output.
func (c command) says(code int, words []string, args ...string) {
	c.Helper()
	cmd := c.cmd(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // says in words what ProcessState says in numbers
	if got := cmd.ProcessState.ExitCode(); got != code {
		c.Errorf("%q: exit status %d, want %d: %s", args, got, code, out.String())
	}
	for _, word := range words {
		if !strings.Contains(out.String(), word) {
			c.Errorf("%q: %q does not say %q", args, out.String(), word)
		}
	}
	if strings.Contains(out.String(), "secret") {
		c.Errorf("%q shows the password: %s", args, out.String())
	}
}

// Every subcommand that a shell user needs works on PostgreSQL, from an empty database on.
func TestSubcommands(t *testing.T) {
	s := server.Get(t)
	path := filepath.Join(t.TempDir(), "lockkeeper-postgres")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	owner := command{t, path, s.Database(t)}
	app := owner
	app.store = strings.Replace(owner.store, pgtest.User+"@", "lockkeeper_app:secret@", 1)
	app.says(1, []string{`role "lockkeeper_app" does not exist`}, "doctor")
	owner.says(1, []string{"failure  schema", "lockkeeper-postgres migrate"}, "doctor")
	owner.says(64, []string{"lockkeeper-postgres migrate"}, "run", "job", "--", "true")
	owner.says(1, []string{"grant"}, "migrate", "--grant", "lockkeeper_app")
	psql := exec.CommandContext(t.Context(), "psql", "-d", owner.store, "-c", "CREATE ROLE lockkeeper_app LOGIN")
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v: %s", err, out)
	}
	app.says(1, []string{"failure  rights", "GRANT USAGE"}, "doctor")
	owner.says(0, nil, "migrate", "--grant", "lockkeeper_app")
	owner.says(0, nil, "migrate", "--grant", "lockkeeper_app") // it may be repeated
	owner.says(64, nil, "migrate", "further")
	app.says(1, []string{"ok       schema", "ok       rights", "warning  durability: fsync is off"}, "doctor")

	holder := app.cmd("run", "--label", "nightly", "job", "--", "sh", "-c", "echo held $LOCK_TOKEN; cat >/dev/null")
	p := proctest.Run(t, holder)
	token := p.Expect("held")
	app.says(75, []string{"busy: held by pid", "(nightly) since"}, "run", "--no-wait", "job", "--", "true")
	app.says(0, []string{"job", "nightly", token}, "ls")
	app.says(0, []string{"last token", token}, "show", "job")
	app.says(0, nil, "break", "job")
	_ = p.Wait()
	if got := holder.ProcessState.ExitCode(); got != 76 {
		t.Errorf("the holder of a broken lock: exit status %d, want 76", got)
	}
	app.says(0, nil, "run", "--no-wait", "job", "--", "true")
	app.says(0, []string{"VERDICT: correct"}, "demo", "--for", "2s", "--processes", "2", "--goroutines", "2")
	app.says(0, []string{"migrate"}, "man")
}

func TestStoresOfLockkeeperAreHereToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lockkeeper-postgres")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", path, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	c := command{t, path, "file:" + t.TempDir()}
	c.says(0, nil, "run", "job", "--", "true")
	c.store = "etcd://secret"
	c.says(64, []string{`unknown store "etcd:"`, "postgres", "postgresql"}, "ls")
	c.store = "postgres://u:secret@h/d?listen=none&sslmode=wrong"
	c.says(64, []string{`invalid store "postgres://h":`}, "ls")
}
