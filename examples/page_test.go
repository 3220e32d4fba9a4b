package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fence begins or ends a block of code, and has its language. quote is a block whose file is linked in
// the line before it.
var (
	fence = regexp.MustCompile("(?m)^```([a-z]*)$")
	quote = regexp.MustCompile("(?ms)\\(\\.\\./([^)]*)\\)[^\n]*\n\n```[a-z]*\n(.*?)^```$")
)

// A block in a language is part of a file that CI compiles and runs. Blocks without one are commands,
// answers and drawings, but on the page of recipes, where all are files.
func TestTheCodeOfThePagesIsThatOfTheirFiles(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := map[string]bool{}
	blocks := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		code := 0
		for i, f := range fence.FindAllSubmatch(text, -1) {
			if i%2 == 0 && (len(f[1]) > 0 || filepath.Base(page) == "recipes.md") {
				code++
			}
		}
		quotes := quote.FindAllSubmatch(text, -1)
		if len(quotes) != code {
			t.Errorf("%s: %d blocks of code, %d with a file in the line before", page, code, len(quotes))
		}
		for _, q := range quotes {
			file, err := os.ReadFile(filepath.Join("..", string(q[1])))
			if err != nil || !strings.Contains(string(file), string(q[2])) {
				t.Errorf("%s: %s (%v) has no such lines:\n%s", page, q[1], err, q[2])
			}
			quoted[string(q[1])] = true
		}
		blocks += code
	}
	if blocks < 15 {
		t.Errorf("only %d blocks of code", blocks)
	}
	for _, dir := range []string{"examples/recipes", "bench/migrating"} {
		files, err := os.ReadDir(filepath.Join("..", dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			test := strings.HasSuffix(f.Name(), "_test.go") && f.Name() != "synctest_test.go"
			if f.Name() != "doc.go" && !test && !quoted[dir+"/"+f.Name()] {
				t.Errorf("%s/%s is on no page", dir, f.Name())
			}
		}
	}
}
