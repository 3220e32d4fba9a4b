package completion

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// zshEnd runs the function when zsh loads the file for the first word of the command line, and
// declares it when a user's start-up file reads it.
const zshEnd = `
if [ "$funcstack[1]" = "_lockkeeper" ]; then
    _lockkeeper "$@"
else
    compdef _lockkeeper lockkeeper
fi
`

// A name is (): nothing completes it. With a message in its place, zsh would not insert a flag that
// is the only match.
func zsh(b *strings.Builder, app *kong.Application) {
	b.WriteString("#compdef lockkeeper\n# zsh completion for lockkeeper\n\n_lockkeeper() {\n    if ((CURRENT == 2)); then\n        local -a commands=(\n")
	for _, n := range commands(app) {
		fmt.Fprintf(b, "            %s\n", quoted(n.Name+":"+brief(n.Help)))
	}
	b.WriteString("        )\n        _describe command commands\n        _arguments")
	for _, f := range app.Flags {
		b.WriteString(" " + zshFlag(f))
	}
	b.WriteString("\n        return\n    fi\n    shift words\n    ((CURRENT--))\n    case $words[1] in\n")
	for _, n := range commands(app) {
		fmt.Fprintf(b, "    %s)\n        _arguments -s -S \\\n", n.Name)
		for _, f := range flags(app, n) {
			fmt.Fprintf(b, "            %s \\\n", zshFlag(f))
		}
		switch words := choices(n); {
		case runs(n):
			b.WriteString("            '1:name:()' '*::command:_normal'\n")
		case words != nil:
			fmt.Fprintf(b, "            '1:%s:(%s)'\n", n.Positional[0].Name, strings.Join(words, " "))
		default:
			b.WriteString("            '*:name:()'\n")
		}
		b.WriteString("        ;;\n")
	}
	b.WriteString("    esac\n}\n" + zshEnd)
}

// zshFlag is what _arguments wants to know of a flag.
func zshFlag(f *kong.Flag) string {
	help := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(brief(f.Help))
	value := ""
	if !f.IsBool() {
		action := " "
		if f.Name == "store" {
			action = "_directories"
		}
		value = ":" + strings.ReplaceAll(f.FormatPlaceHolder(), ":", `\:`) + ":" + action
	}
	once := ""
	if f.IsCumulative() {
		once = "*"
	}
	var all []string
	for _, s := range spellings(f) {
		switch {
		case value == "":
		case strings.HasPrefix(s, "--"):
			s += "="
		default:
			s += "+"
		}
		all = append(all, quoted(once+s+"["+help+"]"+value))
	}
	return strings.Join(all, " ")
}

// quoted is a word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
