package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

var flavour = goldmark.New(
	goldmark.WithExtensions(extension.Table, extension.Strikethrough),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
	goldmark.WithRendererOptions(
		html.WithUnsafe(), // the pages are our own
		renderer.WithNodeRenderers(util.Prioritized(fences{}, 100)),
	),
)

// markdown renders a page, and leads its links to pages of the site.
func (s *site) markdown(p *page, source []byte) error {
	ids := parser.NewContext(parser.WithIDs(anchors{}))
	doc := flavour.Parser().Parse(text.NewReader(source), parser.WithContext(ids))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if n.Level == 1 && p.title == "" {
				p.title = plain(n, source)
			}
		case *ast.Link:
			to := s.lead(p, string(n.Destination))
			n.Destination = []byte(to)
			if p.source == index && !strings.Contains(to, "://") {
				s.side = append(s.side, entry{Title: plain(n, source), URL: path.Join(path.Dir(p.out), to)})
			}
		case *ast.Image:
			s.image(p, string(n.Destination))
		case *ast.HTMLBlock:
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				s.images(p, line.Value(source))
			}
		case *ast.RawHTML:
			for i := range n.Segments.Len() {
				part := n.Segments.At(i)
				s.images(p, part.Value(source))
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := flavour.Renderer().Render(&b, source, doc); err != nil {
		return err
	}
	p.body = b.String()
	return nil
}

// lead returns where a link of a page leads in the site.
func (s *site) lead(p *page, dest string) string {
	u, err := url.Parse(dest)
	if err != nil {
		s.fail(p, err)
		return dest
	}
	if u.Scheme != "" || u.Path == "" {
		return dest
	}
	source := path.Join(path.Dir(p.source), u.Path)
	info, err := fs.Stat(s.repo, source)
	if err != nil {
		s.fail(p, fmt.Errorf("link to %s: %w", dest, err))
		return dest
	}
	if info.IsDir() {
		if source, err = s.front(source); err != nil {
			s.fail(p, fmt.Errorf("link to %s: %w", dest, err))
			return dest
		}
	}
	to := source
	if isImage(source) {
		s.copy[source] = true
	} else {
		to = s.page(source).out
	}
	to = relative(p.out, to)
	if u.Fragment != "" {
		to += "#" + u.Fragment
	}
	return to
}

// front returns the file of a folder that stands for it.
func (s *site) front(dir string) (string, error) {
	for _, name := range []string{"README.md", "doc.go"} {
		if _, err := fs.Stat(s.repo, path.Join(dir, name)); err == nil {
			return path.Join(dir, name), nil
		}
	}
	return "", errors.New("a folder without README.md or doc.go")
}

func isImage(name string) bool {
	switch path.Ext(name) {
	case ".svg", ".png", ".jpg", ".gif", ".webp":
		return true
	}
	return false
}

// image has an image copied. It keeps its place, so its URL stays as it is.
func (s *site) image(p *page, dest string) {
	if strings.Contains(dest, ":") {
		s.fail(p, fmt.Errorf("image %s: it would be fetched from elsewhere", dest))
		return
	}
	name := path.Join(path.Dir(p.source), dest)
	if _, err := fs.Stat(s.repo, name); err != nil {
		s.fail(p, fmt.Errorf("image %s: %w", dest, err))
		return
	}
	s.copy[name] = true
}

var sources = regexp.MustCompile(`\b(?:src|srcset)="([^"]+)"`)

// images has the images of a piece of HTML copied.
func (s *site) images(p *page, html []byte) {
	for _, m := range sources.FindAllSubmatch(html, -1) {
		s.image(p, string(m[1]))
	}
}

// plain returns the text of a node.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(source))
		} else {
			b.WriteString(plain(c, source))
		}
	}
	return b.String()
}

// anchors has the names of headings that are in use. They are made as GitHub makes them.
type anchors map[string]bool

// Generate makes a name of a heading: lower case, without punctuation, with hyphens for spaces.
func (a anchors) Generate(heading []byte, _ ast.NodeKind) []byte {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, string(heading))
	free := name
	for i := 1; a[free]; i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	a[free] = true
	return []byte(free)
}

// Put notes a name that a page gives itself.
func (a anchors) Put(name []byte) { a[string(name)] = true }
