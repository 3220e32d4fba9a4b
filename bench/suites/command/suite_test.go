package command

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/bench/harness/smoke"
)

func TestEverySideRuns(t *testing.T) { smoke.Test(t, Suite()) }
