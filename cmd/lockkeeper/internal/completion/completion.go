package completion

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Shells are those that Write knows.
var Shells = []string{"bash", "zsh", "fish"}

// Write writes the script of a shell for a command line.
func Write(w io.Writer, shell string, app *kong.Application) error {
	var b strings.Builder
	switch shell {
	case "bash":
		bash(&b, app)
	case "zsh":
		zsh(&b, app)
	case "fish":
		fish(&b, app)
	default:
		return fmt.Errorf("no completion for %q: want one of %q", shell, Shells)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// commands are the subcommands that users see.
func commands(app *kong.Application) []*kong.Node {
	return slices.DeleteFunc(slices.Clone(app.Children), func(n *kong.Node) bool { return n.Hidden })
}

// flags are those of a subcommand that users see, with those of the whole command.
func flags(app *kong.Application, n *kong.Node) []*kong.Flag {
	all := slices.Concat(n.Flags, app.Flags)
	return slices.DeleteFunc(all, func(f *kong.Flag) bool { return f.Hidden })
}

// spellings are the ways to write a flag.
func spellings(f *kong.Flag) []string {
	all := []string{"--" + f.Name}
	if f.Short != 0 {
		all = append([]string{"-" + string(f.Short)}, all...)
	}
	return all
}

// allSpellings are those of all flags.
func allSpellings(fs []*kong.Flag) (all []string) {
	for _, f := range fs {
		all = append(all, spellings(f)...)
	}
	return all
}

// valued are the flags that take a value.
func valued(fs []*kong.Flag) []*kong.Flag {
	return slices.DeleteFunc(slices.Clone(fs), func(f *kong.Flag) bool { return f.IsBool() })
}

// runs reports whether a subcommand takes a command to run.
func runs(n *kong.Node) bool {
	return slices.ContainsFunc(n.Positional, func(p *kong.Positional) bool { return p.Passthrough })
}

// choices are the words of a positional argument that has no others.
func choices(n *kong.Node) []string {
	if len(n.Positional) == 0 || n.Positional[0].Enum == "" {
		return nil
	}
	return strings.Split(n.Positional[0].Enum, ",")
}

// brief is the first sentence of a help text, without what it gives as an example.
func brief(help string) string {
	help, _, _ = strings.Cut(help, ": lockkeeper ")
	help, _, _ = strings.Cut(help, ". ")
	return strings.TrimSuffix(help, ".")
}
