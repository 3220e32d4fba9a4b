package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed page.html site.css
var assets embed.FS

var layout = template.Must(template.ParseFS(assets, "page.html"))

// index is the page with the links that every page has at its side.
const index = "docs/README.md"

// page is a page in the making.
type page struct {
	source string // in the repository
	out    string // in the site
	title  string
	body   string // HTML, escaped
}

// site is a site in the making.
type site struct {
	repo  fs.FS
	pages map[string]*page // by source
	todo  []*page          // of pages, those without a body
	copy  map[string]bool  // images, by their path here and there
	side  []entry          // the links of the index
	errs  []error
}

// entry is a link at the side of every page.
type entry struct {
	Title, URL string
	Here       bool
}

// build returns the files of the site, by their paths.
func build(repo fs.FS) (map[string][]byte, error) {
	s := &site{repo: repo, pages: map[string]*page{}, copy: map[string]bool{}}
	if err := s.find(); err != nil {
		return nil, err
	}
	for len(s.todo) > 0 {
		p := s.todo[0]
		s.todo = s.todo[1:]
		if err := s.render(p); err != nil {
			s.fail(p, err)
		}
	}
	s.complete()
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	s.check(files)
	return files, errors.Join(s.errs...)
}

func (s *site) fail(p *page, err error) {
	s.errs = append(s.errs, fmt.Errorf("%s: %w", p.source, err))
}

// find makes a page for each Markdown file.
func (s *site) find() error {
	skip := []string{"site", "bin", "testdata", "node_modules"}
	return fs.WalkDir(s.repo, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (d.Name()[0] == '.' || slices.Contains(skip, d.Name())):
			return fs.SkipDir
		case !d.IsDir() && path.Ext(name) == ".md":
			s.page(name)
		}
		return nil
	})
}

// page returns the page of a source, and has it rendered if it is new.
func (s *site) page(source string) *page {
	if p := s.pages[source]; p != nil {
		return p
	}
	p := &page{source: source, out: source + ".html"}
	switch dir, name := path.Split(source); {
	case name == "README.md":
		p.out = dir + "index.html"
	case path.Ext(name) == ".md":
		p.out = strings.TrimSuffix(source, ".md") + ".html"
	case name == "doc.go":
		p.out = dir + "package.html"
	}
	s.pages[source] = p
	s.todo = append(s.todo, p)
	return p
}

func (s *site) render(p *page) error {
	text, err := fs.ReadFile(s.repo, p.source)
	switch {
	case err != nil:
		return err
	case path.Ext(p.source) == ".md":
		return s.markdown(p, text)
	case path.Base(p.source) == "doc.go":
		return documentation(p, text)
	}
	p.title = p.source
	p.body = "<h1>" + template.HTMLEscapeString(p.source) + "</h1>\n<pre><code>" +
		code(path.Ext(p.source), string(text)) + "</code></pre>\n"
	return nil
}

// complete fails for pages of docs that the index does not have.
func (s *site) complete() {
	if s.pages[index] == nil {
		s.errs = append(s.errs, fmt.Errorf("%s is missing", index))
	}
	for _, p := range s.pages {
		if path.Dir(p.source) == "docs" && path.Ext(p.source) == ".md" && p.source != index &&
			!slices.ContainsFunc(s.side, func(e entry) bool { return e.URL == p.out }) {
			s.fail(p, fmt.Errorf("%s has no link to it", index))
		}
	}
}

// files returns all files of the site.
func (s *site) files() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, p := range s.pages {
		var b bytes.Buffer
		side := make([]entry, len(s.side))
		for i, e := range s.side {
			side[i] = entry{e.Title, relative(p.out, e.URL), e.URL == p.out}
		}
		body := template.HTML(p.body) //nolint:gosec // what it is made of was escaped, or is our own
		err := layout.Execute(&b, map[string]any{
			"Title": p.title, "Body": body, "Source": p.source, "Side": side,
			"Home": relative(p.out, "index.html"), "Style": relative(p.out, "site.css"),
		})
		if err != nil {
			return nil, err
		}
		files[p.out] = b.Bytes()
	}
	for name := range s.copy {
		content, err := fs.ReadFile(s.repo, name)
		if err != nil {
			return nil, err
		}
		files[name] = content
	}
	style, err := assets.ReadFile("site.css")
	files["site.css"] = style
	return files, err
}

// relative returns the URL of a file of the site as a page has it.
func relative(from, to string) string {
	rel, err := filepath.Rel(path.Dir(from), to)
	if err != nil {
		panic("bug: " + err.Error()) // both are relative paths without ..
	}
	return filepath.ToSlash(rel)
}
