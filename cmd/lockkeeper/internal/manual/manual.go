package manual

import (
	"fmt"
	"go/doc/comment"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// A Page is what a manual page is made of.
type Page struct {
	Source  string // of the file whose first lines are the package comment
	App     *kong.Application
	Version string
	Env     [][2]string // further variables of the environment, and what they mean
}

// Write writes the page in the macros of man(7).
func Write(w io.Writer, p Page) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH LOCKKEEPER 1 \"\" %s \"User Commands\"\n", word("lockkeeper "+p.Version))
	b.WriteString(".SH NAME\nlockkeeper \\- run commands under locks that other processes can see\n.SH SYNOPSIS\n")
	for i, n := range visible(p.App) {
		if i > 0 {
			b.WriteString(".br\n")
		}
		fmt.Fprintf(&b, ".B lockkeeper %s\n%s\n", roff(n.Name), roff(arguments(n)))
	}
	b.WriteString(".SH DESCRIPTION\n")
	var parser comment.Parser
	first := true
	for _, block := range parser.Parse(packageComment(p.Source)).Content {
		write(&b, block, first)
		_, first = block.(*comment.Heading)
	}
	b.WriteString(".SH OPTIONS\n")
	for _, n := range visible(p.App) {
		fmt.Fprintf(&b, ".SS lockkeeper %s\n%s\n", roff(n.Name), roff(n.Help))
		for _, f := range n.Flags {
			flag(&b, f)
		}
	}
	b.WriteString(".SS Every subcommand\n")
	for _, f := range p.App.Flags {
		flag(&b, f)
	}
	b.WriteString(".SH ENVIRONMENT\n")
	for _, v := range append(fromFlags(p.App), p.Env...) {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(v[0]), roff(v[1]))
	}
	b.WriteString(".SH SEE ALSO\n.BR flock (1),\n.BR systemd.service (5)\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// visible are the subcommands that users see.
func visible(app *kong.Application) (all []*kong.Node) {
	for _, n := range app.Children {
		if !n.Hidden {
			all = append(all, n)
		}
	}
	return all
}

// arguments are those of a subcommand, in short.
func arguments(n *kong.Node) string {
	text := "[flags]"
	for _, p := range n.Positional {
		switch name := strings.ToUpper(p.Name); {
		case p.Passthrough:
			text += " -- " + name + " [ARGUMENT …]"
		case p.Enum != "":
			text += " " + strings.ReplaceAll(p.Enum, ",", "|")
		case p.IsCumulative() && !p.Required:
			text += " [" + name + " …]"
		case p.IsCumulative():
			text += " " + name + " …"
		default:
			text += " " + name
		}
	}
	return text
}

// flag describes a flag, with the variable of the environment that stands for it.
func flag(b *strings.Builder, f *kong.Flag) {
	if f.Hidden {
		return
	}
	text := ""
	if f.Short != 0 {
		text = "\\fB\\-" + string(f.Short) + "\\fR, "
	}
	text += "\\fB\\-\\-" + roff(f.Name) + "\\fR"
	if !f.IsBool() {
		text += "=\\fI" + roff(f.FormatPlaceHolder()) + "\\fR"
	}
	fmt.Fprintf(b, ".TP\n%s\n%s\n", text, roff(f.Help))
	if len(f.Envs) > 0 {
		fmt.Fprintf(b, "Environment: %s.\n", roff(strings.Join(f.Envs, ", ")))
	}
}

// fromFlags are the variables that stand for flags, each once.
func fromFlags(app *kong.Application) (all [][2]string) {
	seen := make(map[string]bool)
	for _, n := range visible(app) {
		for _, f := range n.Flags {
			for _, env := range f.Envs {
				if !seen[env] {
					all = append(all, [2]string{env, "Stands for --" + f.Name + ". " + f.Help})
				}
				seen[env] = true
			}
		}
	}
	return all
}
