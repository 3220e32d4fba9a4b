package completion

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// bashEnd finds the place of the command to run: the word after --, or the second one that is no
// flag. Package bash-completion completes commands with _command_offset; without it there are at
// least their names, and then files.
const bashEnd = `    local i n=0
    for ((i = 2; i <= COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --) ((i < COMP_CWORD)) && _lockkeeper_command $((i + 1)) && return ;;
            =) ((i++)) ;;
            -*) [[ $values == *" ${COMP_WORDS[i]} "* && ${COMP_WORDS[i + 1]-} != = ]] && ((i++)) ;;
            *) [[ $runs ]] && ((++n == 2)) && _lockkeeper_command $i && return ;;
        esac
    done
    local prev=${COMP_WORDS[COMP_CWORD - 1]}
    if [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $cur == = ]]; then
        cur=
    fi
    if [[ $prev == --store ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        compopt -o filenames
    elif [[ $cur == -* && $values != *" $prev "* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
    elif [[ $words && $values != *" $prev "* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    fi
}

_lockkeeper_command() {
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif (($1 == COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
        compopt -o filenames
    fi
    return 0
}

complete -F _lockkeeper lockkeeper
`

func bash(b *strings.Builder, app *kong.Application) {
	var names []string
	for _, n := range commands(app) {
		names = append(names, n.Name)
	}
	b.WriteString("# bash completion for lockkeeper\n\n_lockkeeper() {\n")
	b.WriteString("    local cur=${COMP_WORDS[COMP_CWORD]} flags values words= runs=\n    COMPREPLY=()\n    if ((COMP_CWORD == 1)); then\n")
	fmt.Fprintf(b, "        mapfile -t COMPREPLY < <(compgen -W \"%s\" -- \"$cur\")\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n",
		strings.Join(append(names, allSpellings(app.Flags)...), " "))
	for _, n := range commands(app) {
		fs := flags(app, n)
		fmt.Fprintf(b, "        %s)\n            flags=\"%s\"\n            values=\" %s \"\n", n.Name,
			strings.Join(allSpellings(fs), " "), strings.Join(allSpellings(valued(fs)), " "))
		if words := choices(n); words != nil {
			fmt.Fprintf(b, "            words=\"%s\"\n", strings.Join(words, " "))
		}
		if runs(n) {
			b.WriteString("            runs=yes\n")
		}
		b.WriteString("            ;;\n")
	}
	b.WriteString("        *) return ;;\n    esac\n" + bashEnd)
}
