package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// ours is the site of this repository.
func ours(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := build(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestThisRepositoryHasASite(t *testing.T) {
	files := ours(t)
	for name, want := range map[string]string{
		"index.html":                    `<a href="docs/choosing.html">`,
		"docs/index.html":               `<a href="choosing.html">`,
		"docs/choosing.html":            `<h2 id="first-do-you-need-one">`,
		"docs/fencing.html":             `<span class="keyword">func</span> book(`,
		"docs/internals/index.html":     `<img src="../img/house.svg"`,
		"docs/img/house.svg":            `<svg`,
		"contrib/http/index.html":       `<h1`,
		"backends/redis/package.html":   `What is guaranteed`,
		"examples/recipes/crontab.html": `LOCKKEEPER_STORE`,
		"site.css":                      `prefers-color-scheme: dark`,
	} {
		if !strings.Contains(string(files[name]), want) {
			t.Errorf("%s: no %s", name, want)
		}
	}
}

// A page needs nothing but the site: no script, and no style, font or image from elsewhere.
func TestNothingIsFetchedFromElsewhere(t *testing.T) {
	fetched := regexp.MustCompile(`<script|<iframe|<link[^>]*href="[a-z]+://|\ssrc(?:set)?="[a-z]*:?//|@import|url\(`)
	for name, text := range ours(t) {
		if ext := filepath.Ext(name); ext != ".html" && ext != ".css" {
			continue
		}
		if found := fetched.Find(text); found != nil {
			t.Errorf("%s: %s", name, found)
		}
	}
}

// repository is a small one whose site can be made.
func repository() fstest.MapFS {
	return fstest.MapFS{
		"README.md":        {Data: []byte("# A\n\n[all](docs/README.md), [the shop](docs/a.md#the-shop-12), ![it](docs/a.png)\n")},
		"docs/README.md":   {Data: []byte("# Pages\n\n[home](../README.md), [page A](a.md)\n")},
		"docs/a.md":        {Data: []byte("# Page A\n\n## The `shop` (1/2)\n\n[here](#the-shop-12) [code](../b/b.go) [b](../b) [out](https://example.com/x#y)\n\n<p><img src=\"a.png\"></p>\n")},
		"docs/a.png":       {Data: []byte("png")},
		"b/doc.go":         {Data: []byte("// Package b is B.\npackage b\n")},
		"b/b.go":           {Data: []byte("package b\n\nconst c = \"<b>\" // <i>\n")},
		"b/testdata/no.md": {Data: []byte("[nowhere](nowhere.md)\n")},
	}
}

func TestASmallSite(t *testing.T) {
	files, err := build(repository())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"index.html":      `<a href="docs/a.html#the-shop-12">the shop</a>`,
		"docs/a.html":     `<a href="../b/b.go.html">code</a> <a href="../b/package.html">b</a> <a href="https://example.com/x#y">out</a>`,
		"docs/a.png":      "png",
		"b/package.html":  "<p>Package b is B.",
		"b/b.go.html":     `<span class="string">&#34;&lt;b&gt;&#34;</span> <span class="comment">// &lt;i&gt;</span>`,
		"docs/index.html": `<a href="a.html">page A</a>`,
	} {
		if !strings.Contains(string(files[name]), want) {
			t.Errorf("%s: no %s in\n%s", name, want, files[name])
		}
	}
	if want := `<a href="a.html" aria-current="page">page A</a>`; !strings.Contains(string(files["docs/a.html"]), want) {
		t.Errorf("the side of page A has no %s", want)
	}
}

func TestADeadLinkFails(t *testing.T) {
	for what, c := range map[string]struct{ file, text, want string }{
		"to a page":               {"docs/a.md", "[x](c.md)", "docs/a.md: link to c.md"},
		"to a heading":            {"docs/a.md", "[x](README.md#nothing)", "docs/a.md: index.html#nothing: no such heading"},
		"to a heading of its own": {"docs/a.md", "[x](#nothing)", "docs/a.md: #nothing: no such heading"},
		"to a folder of nothing":  {"docs/a.md", "[x](../b/testdata)", "a folder without README.md or doc.go"},
		"out of the repository":   {"docs/a.md", "[x](../../c.md)", "docs/a.md: link to ../../c.md"},
		"to an image":             {"docs/a.md", "![x](b.png)", "docs/a.md: image b.png"},
		"to an image in HTML":     {"docs/a.md", "<img src=\"b.png\">", "docs/a.md: image b.png"},
		"to an image in a line":   {"docs/a.md", "x <img src=\"b.png\"> x", "docs/a.md: image b.png"},
		"to an image elsewhere":   {"docs/a.md", "![x](https://example.com/x.png)", "it would be fetched from elsewhere"},
		"in a README of a folder": {"b/README.md", "[x](c.md)", "b/README.md: link to c.md"},
		"of the index":            {"docs/b.md", "# A page", "docs/b.md: docs/README.md has no link to it"},
	} {
		t.Run(what, func(t *testing.T) {
			repo := repository()
			old := ""
			if f := repo[c.file]; f != nil {
				old = string(f.Data)
			}
			repo[c.file] = &fstest.MapFile{Data: []byte(old + "\n" + c.text + "\n")}
			if _, err := build(repo); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

func TestOnlyASiteIsReplaced(t *testing.T) {
	out := t.TempDir()
	if err := write(out, map[string][]byte{"a/b.html": []byte("b")}); err != nil { // an empty folder
		t.Fatal(err)
	}
	if err := write(out, map[string][]byte{"c.html": []byte("c")}); err != nil {
		t.Fatal(err)
	}
	var names []string
	err := filepath.WalkDir(out, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, d.Name())
		}
		return err
	})
	if got := strings.Join(names, " "); err != nil || got != ".lockkeeper-site c.html" {
		t.Errorf("%s, %v", got, err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(other, map[string][]byte{"c.html": []byte("c")}); err == nil {
		t.Error("a folder that is not a site was replaced")
	}
	if _, err := os.Stat(filepath.Join(other, "precious")); err != nil {
		t.Error(err)
	}
}
