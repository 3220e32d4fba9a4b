package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A block of docs/recipes.md is part of the file that the line before it links.
var quote = regexp.MustCompile("(?ms)(?:\\(\\.\\./(examples/recipes/[^)]*)\\)[^\n]*\n\n)?^```[a-z]*\n(.*?)^```\n")

func TestTheCodeOfTheRecipesIsThatOfTheirFiles(t *testing.T) {
	page, err := os.ReadFile("../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := map[string]bool{}
	blocks := quote.FindAllStringSubmatch(string(page), -1)
	for _, b := range blocks {
		file, err := os.ReadFile(filepath.Join("..", b[1]))
		if err != nil {
			t.Errorf("no file is linked before %.60q: %v", b[2], err)
		} else if !strings.Contains(string(file), b[2]) {
			t.Errorf("%s has no such lines:\n%s", b[1], b[2])
		}
		quoted[filepath.Base(b[1])] = true
	}
	if n := strings.Count(string(page), "```"); n != 2*len(blocks) {
		t.Errorf("%d fences, %d blocks", n, len(blocks))
	}
	files, err := os.ReadDir("recipes")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		test := strings.HasSuffix(f.Name(), "_test.go") && f.Name() != "synctest_test.go"
		if f.Name() != "doc.go" && !test && !quoted[f.Name()] {
			t.Errorf("%s is in no recipe", f.Name())
		}
	}
}
