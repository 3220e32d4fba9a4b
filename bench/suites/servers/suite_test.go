package servers

import (
	"os"
	"os/exec"
	"testing"

	"github.com/lockkeeper/lockkeeper/bench/harness/smoke"
)

func TestEverySideRuns(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("CI") == "" {
		t.Skip("redis-server is not installed: NOTHING about Redis is measured here")
	}
	smoke.Test(t, Suite())
}
