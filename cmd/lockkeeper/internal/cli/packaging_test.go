package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// printedBy returns what a subcommand prints.
func printedBy(t *testing.T, args ...string) string {
	t.Helper()
	cmd := proctest.Command(t, "lockkeeper", args...)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// installed reports whether a program is here. Where it is not, a part of a test is left out.
func installed(t *testing.T, program string) bool {
	t.Helper()
	_, err := exec.LookPath(program)
	if err != nil {
		t.Logf("NOT CHECKED: %s is not installed", program)
	}
	return err == nil
}

// Every flag and every variable that stands for one is in the manual page and in each completion.
func TestPageAndCompletionsHaveEveryFlag(t *testing.T) {
	page := strings.ReplaceAll(printedBy(t, "man"), `\-`, "-")
	scripts := map[string]string{}
	for _, sh := range []string{"bash", "zsh", "fish"} {
		scripts[sh] = printedBy(t, "completion", sh)
	}
	for _, n := range model(streams{}).Children {
		if n.Hidden {
			continue
		}
		contains(t, page, "lockkeeper "+n.Name)
		for _, f := range n.Flags {
			contains(t, page, "--"+f.Name)
			contains(t, page, f.Envs...)
			contains(t, scripts["bash"], "--"+f.Name)
			contains(t, scripts["zsh"], "--"+f.Name)
			contains(t, scripts["fish"], "-l "+f.Name+" ")
		}
	}
	contains(t, page, "LOCK_TOKEN", ".SH \"Exit status\"", "It waits for its turn in the queue")
}

func TestFormattersHaveNothingToSayOfThePage(t *testing.T) {
	page := filepath.Join(t.TempDir(), "lockkeeper.1")
	if err := os.WriteFile(page, []byte(printedBy(t, "man")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"man --warnings -l", "groff -ww -man -K utf8 -T utf8 -z", "mandoc -T lint -W error"} {
		argv := strings.Fields(line)
		if !installed(t, argv[0]) {
			continue
		}
		cmd := exec.CommandContext(t.Context(), argv[0], append(argv[1:], page)...) //nolint:gosec // the programs above
		cmd.Env = append(os.Environ(), "MANPAGER=cat", "MANWIDTH=80", "LC_ALL=C.UTF-8")
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Run(); err != nil || said.Len() > 0 || argv[0] == "mandoc" && out.Len() > 0 {
			t.Errorf("%s: %v\n%s", line, err, said.String())
		}
	}
}
