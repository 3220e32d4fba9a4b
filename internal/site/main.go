// Site makes a web site of the pages of this repository: the README, docs/, the READMEs of packages,
// and what they link to.
//
//	make site
//
// Pages lie where their sources lie, README.md as index.html. A link to a package leads to its
// documentation, and a link to another file to its text. Nothing is fetched from elsewhere.
//
// The program fails, and writes nothing, if a link leads to no file or heading, or if the index
// docs/README.md does not have all pages of docs. It does not look at links to other sites.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "../..", "the repository")
	out := flag.String("out", "../../site", "the folder that the site goes to; what is there is removed")
	flag.Parse()
	if err := run(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

func run(root, out string) error {
	files, err := build(os.DirFS(root))
	if err != nil {
		return err
	}
	return write(out, files)
}

// mark is a file of every site. A folder that lacks it is not removed.
const mark = ".lockkeeper-site"

func write(out string, files map[string][]byte) error {
	old, err := os.ReadDir(out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(out, mark)); len(old) > 0 && err != nil {
		return fmt.Errorf("%s is not a site: %w", out, err)
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	files[mark] = nil
	for name, content := range files {
		path := filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
