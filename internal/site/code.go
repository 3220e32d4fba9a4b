package main

import (
	"errors"
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/scanner"
	"go/token"
	"html/template"
	"path"
	"strings"

	markdown "github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// documentation renders the comment of a package.
func documentation(p *page, source []byte) error {
	f, err := parser.ParseFile(token.NewFileSet(), p.source, source, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		return err
	}
	if f.Doc == nil {
		return errors.New("the package has no comment")
	}
	p.title = "package " + f.Name.Name
	if f.Name.Name == "main" {
		p.title = "command " + path.Base(path.Dir(p.source))
	}
	read := comment.Parser{ // [backends.ErrBusy] is a name, wherever it is
		LookupPackage: func(name string) (string, bool) { return name, true },
		LookupSym:     func(string, string) bool { return true },
	}
	write := comment.Printer{
		HeadingLevel: 2,
		DocLinkURL:   func(*comment.DocLink) string { return "" }, // and the site has no page for it
	}
	p.body = fmt.Sprintf("<h1>%s</h1>\n<p><code>github.com/lockkeeper/lockkeeper/%s</code></p>\n%s",
		template.HTMLEscapeString(p.title), template.HTMLEscapeString(path.Dir(p.source)),
		write.HTML(read.Parse(f.Doc.Text())))
	return nil
}

// fences renders blocks of code.
type fences struct{}

func (fences) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(markdown.KindFencedCodeBlock, fence)
}

func fence(w util.BufWriter, source []byte, n markdown.Node, entering bool) (markdown.WalkStatus, error) {
	if !entering {
		return markdown.WalkContinue, nil
	}
	block := n.(*markdown.FencedCodeBlock)
	var text strings.Builder
	for i := range block.Lines().Len() {
		line := block.Lines().At(i)
		text.Write(line.Value(source))
	}
	_, err := fmt.Fprintf(w, "<pre><code>%s</code></pre>\n", code("."+string(block.Language(source)), text.String()))
	return markdown.WalkSkipChildren, err
}

// code returns the HTML of a text: Go with its keywords, strings and comments marked.
func code(ext, text string) string {
	if ext != ".go" {
		return template.HTMLEscapeString(text)
	}
	var out strings.Builder
	var scan scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(text))
	scan.Init(file, []byte(text), func(token.Position, string) {}, scanner.ScanComments)
	end := 0
	for {
		pos, kind, word := scan.Scan()
		at := file.Offset(pos)
		if kind == token.EOF {
			break
		}
		class := classOf(kind)
		if class == "" || at < end || !strings.HasPrefix(text[at:], word) { // a comment with \r, say
			continue
		}
		out.WriteString(template.HTMLEscapeString(text[end:at]))
		fmt.Fprintf(&out, `<span class="%s">%s</span>`, class, template.HTMLEscapeString(word))
		end = at + len(word)
	}
	out.WriteString(template.HTMLEscapeString(text[end:]))
	return out.String()
}

func classOf(kind token.Token) string {
	switch {
	case kind == token.COMMENT:
		return "comment"
	case kind == token.STRING || kind == token.CHAR:
		return "string"
	case kind.IsKeyword():
		return "keyword"
	}
	return ""
}
