package manual_test

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/manual"
)

// What means something to a formatter is written as what it is.
func TestTextIsNoCommandOfAFormatter(t *testing.T) {
	parser, err := kong.New(&struct {
		Go struct {
			A bool `help:".br 'x' \\ - end" env:"LK_A"`
		} `cmd:"" help:"Go."`
	}{}, kong.Name("x"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	source := "// First.\n//\n// # A - heading\n//\n// .SH text\n//\n//\t.code\npackage x\n\n// not this\n"
	if err := manual.Write(&b, manual.Page{Source: source, App: parser.Model}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n.SH \"A \\- heading\"\n\\&.SH text\n", "\n\\&.code\n", "\n\\&.br \\(aqx\\(aq \\e \\- end\n", "Environment: LK_A."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in the page:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "not this") {
		t.Error("the page has more than the package comment")
	}
}
