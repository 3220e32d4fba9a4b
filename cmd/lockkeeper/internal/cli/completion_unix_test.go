//go:build unix

package cli

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// completions are lines with a word that has one completion, and that word when it is complete.
var completions = [][2]string{
	{"ver", "version"},
	{"run --reen", "--reentrant"},
	{"run --kill-af", "--kill-after"},
	{"completion fi", "fish"},
	{"doctor --rep", "--repair"},
	{"run a -- lk_te", "lk_test"},
	{"run -w 3 -n --label x a -- lk_te", "lk_test"},
	{"run a -- lk_test fi", "file_of_test"},
}

// A shell at a terminal completes a line with TAB. Then its words are given to a function that
// prints them.
func TestShellsComplete(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"lk_test": 0o700, "file_of_test": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ shell, argv, setup string }{
		{"bash", "bash --norc --noprofile -i", "[ -f /usr/share/bash-completion/bash_completion ] && . /usr/share/bash-completion/bash_completion; . %s"},
		{"bash", "bash --norc --noprofile -i", ". %s"}, // without package bash-completion
		{"zsh", "zsh -f -i", "autoload -U compinit; compinit -u -D; . %s"},
	} {
		t.Run(c.shell, func(t *testing.T) {
			if !installed(t, c.shell) {
				return
			}
			script := filepath.Join(t.TempDir(), "completion")
			if err := os.WriteFile(script, []byte(printedBy(t, "completion", c.shell)), 0o600); err != nil {
				t.Fatal(err)
			}
			argv := strings.Fields(c.argv)
			cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...) //nolint:gosec // a shell
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "TERM=dumb", "HOME="+dir, "INPUTRC=/dev/null", "PS1=")
			tty := onTerminal(t, cmd, pty.Winsize{Rows: 24, Cols: 200})
			out := bufio.NewReader(tty)
			types := func(format string, args ...any) {
				if _, err := fmt.Fprintf(tty, format, args...); err != nil {
					t.Fatal(err)
				}
			}
			types(c.setup+"; words() { printf '\\074%%s\\076' \"$@\"; echo; }; words rea'd'y\n", script)
			answer(t, out, "ready")
			for _, line := range completions {
				types("lockkeeper %s\t\x01words \n", line[0])
				if got := answer(t, out, "lockkeeper"); got != line[1] {
					t.Errorf("%q is completed to %q, want %q", line[0], got, line[1])
				}
			}
		})
	}
}

var answered = regexp.MustCompile(`<[^\r\n]*>`)

// answer reads what the function prints, and returns the last word.
func answer(t *testing.T, out *bufio.Reader, first string) string {
	t.Helper()
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %q", err, line)
		}
		if found := answered.FindString(line); strings.HasPrefix(found, "<"+first) {
			words := strings.Split(strings.Trim(found, "<>"), "><")
			return words[len(words)-1]
		}
	}
}

func TestFishCompletes(t *testing.T) {
	if !installed(t, "fish") {
		return
	}
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"lk_test": 0o700, "file_of_test": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	script := filepath.Join(t.TempDir(), "lockkeeper.fish")
	if err := os.WriteFile(script, []byte(printedBy(t, "completion", "fish")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range completions {
		cmd := exec.CommandContext(t.Context(), "fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script, "lockkeeper "+line[0]) //nolint:gosec // a shell
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir)
		out, err := cmd.Output()
		word, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\t")
		if err != nil || word != line[1] {
			t.Errorf("%q is completed to %q, %v; want %q", line[0], out, err, line[1])
		}
	}
}
