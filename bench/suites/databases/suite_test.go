package databases

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lockkeeper/lockkeeper/bench/harness/smoke"
)

func TestEverySideRuns(t *testing.T) {
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // of Debian, which has it off the PATH
	if _, err := exec.LookPath("postgres"); err != nil && len(installed) == 0 && os.Getenv("PG_BIN") == "" && os.Getenv("CI") == "" {
		t.Skip("PostgreSQL is not installed: NOTHING about it is measured here")
	}
	smoke.Test(t, Suite())
}
