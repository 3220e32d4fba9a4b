package completion_test

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/completion"
)

// A help text is data to a shell, whatever characters it has.
func TestHelpTextsAreQuoted(t *testing.T) {
	parser, err := kong.New(&struct {
		Go struct {
			A bool `help:"a'b [c]:d\\e"`
		} `cmd:"" help:"it's."`
	}{}, kong.Name("x"))
	if err != nil {
		t.Fatal(err)
	}
	for shell, want := range map[string]string{
		"bash": "go)", "zsh": `'--a[a'\''b \[c\]\:d\e]'`, "fish": `-d 'a\'b [c]:d\\e'`,
	} {
		var b strings.Builder
		if err := completion.Write(&b, shell, parser.Model); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("%s: %v, no %s in\n%s", shell, err, want, b.String())
		}
	}
	if err := completion.Write(&strings.Builder{}, "tcsh", parser.Model); err == nil {
		t.Error("a shell that is not known is no error")
	}
}
