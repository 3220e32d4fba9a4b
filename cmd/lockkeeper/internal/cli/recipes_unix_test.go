//go:build unix

package cli

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// job is a worker, or a report: it says so if it runs beside another, and runs until SIGTERM.
const job = `#!/bin/sh
mkdir "$0.alone" || echo "two run"
trap 'rmdir "$0.alone"; exit 0' TERM
echo "holds $LOCK_NAME"
sleep 1000 &
wait
`

// recipe returns what the expression finds in a file of the recipes.
func recipe(t *testing.T, file, expression string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../../examples/recipes", file))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(expression).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no %s", file, expression)
	}
	return string(found[1])
}

// writeJob writes the job to a file, and returns its name.
func writeJob(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "job")
	if err := os.WriteFile(file, []byte(job), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// The command is that of the unit; only the server and the path of the worker are others.
func TestTheUnitOfTheRecipesIsActiveOnOneHost(t *testing.T) {
	const file, program, worker = "worker.service", "/usr/local/bin/lockkeeper", "/usr/local/bin/worker"
	paths := strings.NewReplacer("db1:6379", server.Get(t).Addr, worker, writeJob(t))
	in := paths.Replace(recipe(t, file, `Environment=LOCKKEEPER_STORE=(\S+)`))
	command := strings.Fields(paths.Replace(recipe(t, file, `ExecStart=`+program+` (.+)`)))

	active := start(t, in, command...)
	active.Expect("holds worker")
	standby := start(t, in, command...)
	untilWaiting(t, client(t, in), "worker", 1)
	active.Signal(syscall.SIGTERM)
	active.ends(0)
	standby.Expect("holds worker")
	standby.Signal(syscall.SIGTERM)
	standby.ends(0)

	verifyUnit(t, strings.NewReplacer(program, "/bin/true", worker, "/bin/true").
		Replace(recipe(t, file, `(?s)(.*)`)))
}

// Each host has the line of the crontab. The job takes no time, and runs on one of them.
func TestTheCrontabOfTheRecipesRunsOnOneHost(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	report := filepath.Join(t.TempDir(), "report")
	if err := os.WriteFile(report, []byte("#!/bin/sh\necho report >>"+out+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	// An hour in the place of half a minute, for a machine that is busy.
	edit := strings.NewReplacer("db1:6379", server.Get(t).Addr, "/usr/local/bin/report", report, "30s", "1h", " report ", " cron-report ")
	in := edit.Replace(recipe(t, "crontab", `LOCKKEEPER_STORE=(\S+)`))
	command := strings.Fields(edit.Replace(recipe(t, "crontab", `\* \* \* \* \* lockkeeper (.+)`)))
	for range 3 {
		start(t, in, command...).ends(0)
	}
	if text, err := os.ReadFile(out); err != nil || string(text) != "report\n" {
		t.Errorf("%q, %v; want one report", text, err)
	}
}

// verifyUnit has systemd check a unit, where there is a systemd.
func verifyUnit(t *testing.T, unit string) {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		return
	}
	file := filepath.Join(t.TempDir(), "worker.service")
	if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
}

func TestTheCronJobOfTheRecipesRunsOnce(t *testing.T) {
	const file = "cronjob.yaml"
	paths := strings.NewReplacer("db1:6379", server.Get(t).Addr, "/app/report", writeJob(t))
	in := paths.Replace(recipe(t, file, `LOCKKEEPER_STORE, value: "(\S+)"`))
	var command []string
	text := paths.Replace(recipe(t, file, `command: (\[.*\])`)) // a list of YAML that is JSON, too
	if err := json.Unmarshal([]byte(text), &command); err != nil || command[0] != "lockkeeper" {
		t.Fatal(command, err)
	}

	kept := slices.Insert(slices.Clone(command[1:]), 1, "--at-least", "1h") // as the page says
	t.Cleanup(func() { server.Get(t).Client(t).FlushAll(context.Background()) })
	for _, args := range [][]string{command[1:], kept} {
		first := start(t, in, args...)
		first.Expect("holds report")
		during := start(t, in, args...)
		during.saysNothing()
		during.ends(0) // Kubernetes sees a success
		first.Signal(syscall.SIGTERM)
		first.ends(0)
	}
	after := start(t, in, kept...)
	after.saysNothing()
	after.ends(0)
}
