package cli

import (
	"os"

	"github.com/alecthomas/kong"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/completion"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/manual"
)

// completionCmd prints what a shell needs to complete a line of lockkeeper.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"One of ${enum}."`
}

// Help is shown by completion --help.
func (*completionCmd) Help() string {
	return "bash: eval \"$(lockkeeper completion bash)\" in ~/.bashrc, or the output in " +
		"~/.local/share/bash-completion/completions/lockkeeper. zsh: the output in a file _lockkeeper of a directory in $fpath. " +
		"fish: the output in ~/.config/fish/completions/lockkeeper.fish."
}

// Run prints the script.
func (c *completionCmd) Run(s streams) exitCode {
	if err := completion.Write(s.out, c.Shell, model(s)); err != nil {
		return s.fail(printed(err))
	}
	return exitOK
}

// manCmd prints the manual page.
type manCmd struct{}

// Run prints it.
func (manCmd) Run(s streams) exitCode {
	page := manual.Page{Source: s.comment, App: model(s), Version: version(), Env: [][2]string{
		{"LOCK_NAME, LOCK_TOKEN", "Set for the command of run: the name that is held, and its fencing token."},
		{"LOCK_NAME_2, LOCK_TOKEN_2, …", "Set for the command of run: the same for each --also."},
		{"LOCKKEEPER_HELD", "Set for the command of run, and read by run within run: what is held for the command."},
		{"SHELL", "The shell of run -c."},
		{"NOTIFY_SOCKET", "Where run --hold tells systemd that the lock is held."},
		{"NO_COLOR, TERM", "Whether and how top and demo draw on a terminal."},
	}}
	if err := manual.Write(s.out, page); err != nil {
		return s.fail(printed(err))
	}
	return exitOK
}

// model is that of the whole command line.
func model(s streams) *kong.Application {
	return newParser(&commandLine{}, s, s.out, os.Exit).Model
}
