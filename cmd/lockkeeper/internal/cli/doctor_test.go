package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestDoctorFindsAndRepairs(t *testing.T) {
	dir := t.TempDir() + "/locks"
	in := "file:" + dir
	start(t, in, "run", "a", "--", "true").ends(0)
	if lines := output(t, start(t, in, "doctor")); len(lines) != 1 || !strings.Contains(lines[0], "nothing to mend") {
		t.Errorf("a sound directory: %q", lines)
	}
	if err := os.Chmod(filepath.Join(dir, "a.table"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := start(t, in, "doctor")
	text := all(p)
	p.ends(1)
	for _, part := range []string{"warning", "modes", `"a.table" has mode 0644`, "for locks: others may", "to mend it: chmod 0600"} {
		contains(t, text, part)
	}
	contains(t, strings.Join(output(t, start(t, in, "doctor", "--repair")), "\n"), in, "mended   modes")
	if info, err := os.Stat(filepath.Join(dir, "a.table")); err != nil || info.Mode() != 0o600 {
		t.Errorf("after the repair: %v, %v", info, err)
	}
	if err := os.Symlink("/etc/hosts", filepath.Join(dir, "b.lock")); err != nil {
		t.Fatal(err)
	}
	p = start(t, in, "doctor", "--repair")
	contains(t, all(p), `"b.lock" is no regular file`)
	p.ends(1)
}

// A held lock outlives a repair that takes every name for old.
func TestDoctorLeavesWhatIsInUse(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	h := hold(t, in, "held")
	start(t, in, "run", "over", "--", "true").ends(0)
	output(t, start(t, in, "doctor", "--repair", "--idle", "0s"))
	start(t, in, "run", "--no-wait", "held", "--", "true").ends(75)
	h.let()
	start(t, in, "run", "--no-wait", "held", "--", "true").ends(0)
	start(t, in, "run", "--no-wait", "over", "--", "true").ends(0)
}

func TestDoctorOfAServer(t *testing.T) {
	s := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	p := start(t, "redis://"+s.Addr, "doctor")
	text := all(p)
	p.ends(1)
	for _, part := range []string{"ok       version: ", "failure  eviction: maxmemory-policy is allkeys-lru", "to mend it: CONFIG SET"} {
		contains(t, text, part)
	}
	contains(t, text, "redis://"+s.Addr)
	start(t, "redis://127.0.0.1:1", "doctor").ends(69)
}

// A server that answers, and cannot be used as the store is written, is a finding that says what to
// do.
func TestDoctorFindsWhyAServerCannotBeUsed(t *testing.T) {
	primary := redistest.Start(t)
	for in, want := range map[string]string{
		"rediss://" + primary.Addr:                                      "write redis:// in place of rediss://",
		"redis://" + primary.Addr + "/99":                               "DB index is out of range",
		"redis://" + redistest.Start(t, "--requirepass", "secret").Addr: "wants a password",
		"redis://" + redistest.StartSentinel(t, primary).Addr:           "it is a Sentinel",
		"redis://" + redistest.Start(t, "--rename-command", "EVAL", "", "--rename-command", "EVALSHA", "").Addr: "runs no scripts",
		"redis://" + redistest.Start(t, "--rename-command", "PUBLISH", "").Addr:                                 "does not know PUBLISH",
	} {
		p := start(t, in, "doctor")
		contains(t, all(p), want)
		p.ends(1)
	}
}

func TestDoctorMisuse(t *testing.T) {
	in := "file:" + t.TempDir()
	start(t, in, "doctor", "--idle", "-1s").ends(64)
	start(t, in, "doctor", "--timeout", "0s").ends(64)
	start(t, "memory:", "doctor").ends(64)
	start(t, "redis://127.0.0.1:1", "doctor", "--repair").ends(64)
}

// all returns what a process writes until it ends.
func all(p process) string {
	var b strings.Builder
	for line, ok := p.Listen(); ok; line, ok = p.Listen() {
		b.WriteString(line + "\n")
	}
	return b.String()
}
