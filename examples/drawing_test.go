package examples_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "github.com/lockkeeper/lockkeeper/"

// GitHub shows a drawing as an image: nothing that it refers to is fetched, and no script runs.
func TestDrawingsStandAlone(t *testing.T) {
	for _, name := range []string{"house", "one-acquire"} {
		text := drawing(t, name)
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for _, want := range []string{"prefers-color-scheme: dark", "<title", "viewBox"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %s", name, want)
			}
		}
		if found := regexp.MustCompile(`<script|<image|<foreignObject|href=|@import|@font-face|url\([^#]`).FindString(text); found != "" {
			t.Errorf("%s: %s", name, found)
		}
	}
}

// Each arrow between two packages of the house is an import, and so is each "stands on". No import
// between the packages of the library is missing.
func TestTheHouseIsDrawnAsItIs(t *testing.T) {
	text := drawing(t, "house")
	drawn := map[string]bool{} // "from to"
	var boxes []string
	for _, m := range regexp.MustCompile(`data-package="([^"]+)"(?: data-on="([^"]+)")?`).FindAllStringSubmatch(text, -1) {
		boxes = append(boxes, m[1])
		if m[2] != "" {
			drawn[m[1]+" "+m[2]] = true
		}
	}
	for _, m := range regexp.MustCompile(`data-from="([^"]+)" data-to="([^"]+)"`).FindAllStringSubmatch(text, -1) {
		for _, to := range strings.Fields(m[2]) {
			drawn[m[1]+" "+to] = true
		}
	}
	if len(boxes) < 12 || len(drawn) < 18 {
		t.Errorf("%d boxes, %d arrows", len(boxes), len(drawn))
	}
	imports := map[string]bool{}
	for _, box := range boxes {
		for _, to := range importsOf(t, box, boxes) {
			if to != box && slices.Contains(boxes, to) {
				imports[box+" "+to] = true
			}
		}
	}
	for d := range drawn {
		if !imports[d] {
			t.Errorf("drawn, but no import: %s", d)
		}
	}
	for i := range imports {
		if from, _, _ := strings.Cut(i, " "); !drawn[i] && (from == "manager" || from == "primitives" || strings.HasPrefix(from, "backends")) {
			t.Errorf("an import that is not drawn: %s", i)
		}
	}
}

// importsOf returns what the files of a package import, and those of the packages below it that have
// no box of their own.
func importsOf(t *testing.T, box string, boxes []string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("..", box), func(path string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(filepath.ToSlash(path), "../")
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || rel != box && slices.Contains(boxes, rel)):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			all = append(all, strings.TrimPrefix(p, root))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The steps of the drawing are those of the table beside it.
func TestOneAcquireIsDrawnStepByStep(t *testing.T) {
	page := text(t, "../docs/internals/one-acquire.md")
	page, _, _ = strings.Cut(page, "\n## ")
	steps := func(re, text string) (all []string) {
		for _, m := range regexp.MustCompile(re).FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		return all
	}
	table, drawn := steps(`(?m)^\| (\d+) \|`, page), steps(`class="step"[^>]*>(\d+)<`, drawing(t, "one-acquire"))
	if len(table) < 5 || fmt.Sprint(table) != fmt.Sprint(drawn) {
		t.Errorf("the table has steps %v, the drawing %v", table, drawn)
	}
}

func drawing(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../docs/img/" + name + ".svg")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
