//go:build unix

package cli

import (
	"testing"

	"github.com/creack/pty"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// A stopped job that nobody can continue any more is hung up, as the bare command is.
func TestAStoppedJobEndsWithItsShell(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		sh.types("$LK run a -- sh -c '%s; exec sleep 1000'\n", tells)
		command, job := sh.ready()
		sh.types("\x1a")
		untilStopped(t, job)
		untilStopped(t, command)
		sh.types("kill -9 $$\n")
		untilFree(t, in)
	})
}

// On a terminal without a shell (ssh -t HOST lockkeeper run …) nobody could continue a stopped job,
// so ^Z is ignored, as it is by the bare command.
func TestCtrlZIsIgnoredWhereThereIsNoShell(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	cmd := proctest.Command(t, "lockkeeper", "run", "--store", in, "a", "--", "sh", "-c", tells+"; read x; echo GOT:$x")
	sh := &shell{t: t, terminal: onTerminal(t, cmd, pty.Winsize{})}
	sh.ready()
	sh.types("\x1a")
	sh.types("hello\n")
	sh.expect("GOT:hello")
	untilFree(t, in)
}

// ^C reaches a command that has stopped itself, of which the shell does not know.
func TestCtrlCEndsACommandThatHasStopped(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		sh.types("$LK run a -- sh -c '%s; kill -STOP $$; exec sleep 1000'\n", tells)
		command, _ := sh.ready()
		untilStopped(t, command)
		sh.types("\x03")
		sh.types("echo status=$?\n")
		sh.expect("status=130")
		untilFree(t, in)
	})
}
