//go:build unix

package proctest_test

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// heedful starts a process that ends itself by SIGHUP if it can, and says whether that was so; with an argument, after it
// has asked for signals to be heeded.
func heedful(c *proctest.Child) error {
	if !signal.Ignored(syscall.SIGHUP) {
		return errors.New("SIGHUP is not ignored, so there is nothing to test")
	}
	if len(c.Args) > 0 {
		proctest.HeedSignals()
	}
	err := exec.Command("sh", "-c", "kill -HUP $$; exit 7").Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return errors.New("the process that sends itself SIGHUP ends well")
	}
	c.Say("%v", exit.Sys().(syscall.WaitStatus).Signal())
	return nil
}

// What a test process was told to ignore, as by nohup, its children ignore as well, unless it heeds signals.
func TestHeedSignals(t *testing.T) {
	for _, test := range []struct{ arg, want string }{{"", "signal -1"}, {"heed", "hangup"}} {
		cmd := proctest.Command(t, "heedful")
		self := cmd.Path
		if test.arg != "" {
			cmd.Args = append(cmd.Args, test.arg)
		}
		cmd.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh", self}, cmd.Args[1:]...)
		sh, err := exec.LookPath("sh")
		if err != nil {
			t.Fatal(err)
		}
		cmd.Path = sh
		cmd.Stderr = os.Stderr
		p := proctest.Run(t, cmd)
		if said, _ := p.Listen(); said != test.want {
			t.Errorf("with %q: %q; want %q", test.arg, said, test.want)
		}
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
	}
}
