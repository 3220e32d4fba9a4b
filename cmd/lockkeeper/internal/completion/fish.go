package completion

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// fishBegin: __lockkeeper_in is true within the arguments of a subcommand, before any --;
// __lockkeeper_command gives the words after it.
const fishBegin = `# fish completion for lockkeeper

function __lockkeeper_in
    set -l words (commandline -opc)
    test "$words[2]" = $argv[1]; and not contains -- -- $words
end

function __lockkeeper_first
    test (count (commandline -opc)) = 1
end

function __lockkeeper_command
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains -i -- -- $words)
    printf '%s\n' $words[(math $at + 1)..-1]
end

complete -c lockkeeper -f
complete -c lockkeeper -n 'contains -- -- (commandline -opc)' -a '(__fish_complete_subcommand --commandline (__lockkeeper_command))'
`

func fish(b *strings.Builder, app *kong.Application) {
	b.WriteString(fishBegin)
	for _, f := range app.Flags {
		fmt.Fprintf(b, "complete -c lockkeeper -n __lockkeeper_first%s\n", fishFlag(f))
	}
	for _, n := range commands(app) {
		fmt.Fprintf(b, "complete -c lockkeeper -n __lockkeeper_first -a %s -d %s\n", n.Name, fishQuoted(brief(n.Help)))
	}
	for _, n := range commands(app) {
		in := fmt.Sprintf("complete -c lockkeeper -n '__lockkeeper_in %s'", n.Name)
		for _, f := range flags(app, n) {
			fmt.Fprintf(b, "%s%s\n", in, fishFlag(f))
		}
		if words := choices(n); words != nil {
			fmt.Fprintf(b, "%s -a %s\n", in, fishQuoted(strings.Join(words, " ")))
		}
	}
}

// fishFlag are the arguments of complete for a flag.
func fishFlag(f *kong.Flag) string {
	text := " -l " + f.Name
	if f.Short != 0 {
		text += " -s " + string(f.Short)
	}
	switch {
	case f.IsBool():
	case f.Name == "store":
		text += " -x -a '(__fish_complete_directories)'"
	default:
		text += " -x"
	}
	return text + " -d " + fishQuoted(brief(f.Help))
}

// fishQuoted is a word of fish, which knows two escapes between single quotes.
func fishQuoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
