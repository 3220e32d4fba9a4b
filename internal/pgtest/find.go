package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// require returns the directory of PostgreSQL's programs. Where there is none the test ends.
func require(t testing.TB) string {
	t.Helper()
	bin, err := find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL is missing, and CI=true forbids to skip: %v", err)
		}
		t.Skipf("SKIPPED, NOTHING WAS TESTED: PostgreSQL is missing: %v", err)
	}
	return bin
}

// Program returns the server's program, for what asks it for its version.
func Program() (string, error) {
	bin, err := find()
	return filepath.Join(bin, "postgres"), err
}

// find returns a directory that has the server and the tools. A distribution may have the server
// alone on the PATH, by a link.
func find() (string, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		return dir, nil
	}
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	best, version := "", -1
	for _, dir := range dirs {
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && n > version && complete(dir) {
			best, version = dir, n
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && complete(filepath.Dir(path)) {
			best = filepath.Dir(path)
		}
	}
	if best == "" {
		return "", errors.New("no directory with postgres, initdb and createdb")
	}
	return best, nil
}

func complete(dir string) bool {
	for _, name := range []string{"postgres", "initdb", "createdb"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}
