package manual

import (
	"fmt"
	"go/doc/comment"
	"strings"
)

// packageComment is the comment at the beginning of a Go file.
func packageComment(source string) string {
	var b strings.Builder
	for line := range strings.Lines(source) {
		text, ok := strings.CutPrefix(line, "//")
		if !ok {
			break
		}
		b.WriteString(strings.TrimPrefix(text, " "))
	}
	return b.String()
}

// write writes a block of a comment. A paragraph right after a heading begins by itself.
func write(b *strings.Builder, block comment.Block, first bool) {
	switch block := block.(type) {
	case *comment.Heading:
		fmt.Fprintf(b, ".SH %s\n", word(plain(block.Text)))
	case *comment.Paragraph:
		paragraph(b, first)
		b.WriteString(roff(plain(block.Text)) + "\n")
	case *comment.Code:
		paragraph(b, first)
		b.WriteString(".in +4n\n.nf\n")
		for line := range strings.Lines(strings.TrimSuffix(block.Text, "\n") + "\n") {
			b.WriteString(roff(strings.TrimSuffix(line, "\n")) + "\n")
		}
		b.WriteString(".fi\n.in\n")
	case *comment.List:
		for _, item := range block.Items {
			b.WriteString(".IP \\(bu 2\n")
			for _, inner := range item.Content {
				if p, ok := inner.(*comment.Paragraph); ok {
					b.WriteString(roff(plain(p.Text)) + "\n")
				}
			}
		}
	}
}

func paragraph(b *strings.Builder, first bool) {
	if !first {
		b.WriteString(".PP\n")
	}
}

// plain is a text without marks, in one line.
func plain(text []comment.Text) string {
	var b strings.Builder
	for _, t := range text {
		switch t := t.(type) {
		case comment.Plain:
			b.WriteString(string(t))
		case comment.Italic:
			b.WriteString(string(t))
		case *comment.Link:
			b.WriteString(plain(t.Text))
		case *comment.DocLink:
			b.WriteString(plain(t.Text))
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// escapes are the characters that mean something else to a formatter, or that it replaces.
var escapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`)

// roff is a line of text. A period at its beginning would be a command.
func roff(s string) string {
	s = escapes.Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

// word is an argument of a macro.
func word(s string) string { return `"` + roff(s) + `"` }
