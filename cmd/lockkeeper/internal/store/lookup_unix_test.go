//go:build unix

package store

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"syscall"
	"testing"
)

// A user that is in no user database has no default store, wherever HOME leads: not in a program
// built with cgo, nor in one without.
func TestAUserInNoDatabaseHasNoDefaultStoreWhateverHomeSays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT CHECKED: a user in no database; that takes root")
	}
	const stranger = "47110815"
	if _, err := user.LookupId(stranger); err == nil {
		t.Skipf("NOT CHECKED: there is a user %s", stranger)
	}
	home, err := os.MkdirTemp("", "lockkeeper") //nolint:usetesting // each directory above is open to all users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	if err := errors.Join(os.Chown(home, 47110815, 47110815), os.Chmod(home, 0o755)); err != nil { //nolint:gosec // see above
		t.Fatal(err)
	}
	for _, tags := range []string{"", "osusergo"} { // which is what the lack of cgo means to package os/user
		program := home + "/lockkeeper" + tags
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags="+tags, "-o", program, "../..").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		cmd := exec.CommandContext(t.Context(), program, "run", "job", "--", "true")
		cmd.Dir = home
		cmd.Env = []string{"HOME=" + home, "USER=stranger", "PATH=" + os.Getenv("PATH")}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 47110815, Gid: 47110815}}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 64 || !strings.Contains(string(out), "not found in the user database") {
			t.Errorf("tags %q: %v: %s; want status 64, for the user is in no database", tags, err, out)
		}
	}
	if _, err := os.Stat(home + "/.local"); err == nil {
		t.Error("a store was made where HOME leads")
	}
}

// The user database counts, not what the environment says.
func TestUsersAreLookedUpInTheUserDatabase(t *testing.T) {
	want, err := user.LookupId("0")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("USER", "stranger")
	if u, err := lookupUser("0"); err != nil || u.Uid != "0" || u.HomeDir != want.HomeDir {
		t.Errorf("lookupUser(0) = %+v, %v; want the home directory %s", u, err, want.HomeDir)
	}
	var unknown user.UnknownUserIdError
	if u, err := lookupUser("47110815"); !errors.As(err, &unknown) || int(unknown) != 47110815 {
		t.Errorf("lookupUser of a number that is nobody's = %+v, %v", u, err)
	}
}
