//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// DefaultText is the place of the default store, for the help of the command.
const DefaultText = rootDir + " for root, for others ~/.local/state/lockkeeper in the home directory of the user database."

// rootDir is the default store of the superuser.
const rootDir = "/var/lib/lockkeeper"

// Default returns the directory of the user's default store: /var/lib/lockkeeper for root, and
// .local/state/lockkeeper in the home directory that the user database (passwd) names for everyone
// else. It does not depend on the environment, and makes nothing. A user without a home directory
// of their own has no default store: the error wraps [ErrRefused].
func Default() (string, error) { return defaultOf(os.Geteuid(), lookupUser) }

// defaultOf is Default for a user and a user database.
//
// The place must be the same for a terminal, cron, a unit of systemd and sudo, or two runs of one
// job both run. It must last as long as any of them. No other user must be able to make it first.
// Rejected:
//
//   - XDG_RUNTIME_DIR: logind removes it at the last logout, while locks are held; cron and units
//     do not have it; sudo -E and su keep that of another user.
//   - The directories for temporary files: PrivateTmp= gives a unit its own /tmp and /var/tmp,
//     cleaners remove old files, TMPDIR moves them, and any user may make a directory there first.
//     /dev/shm: RemoveIPC= empties it at logout.
//   - HOME and XDG_STATE_HOME: sudo -E, su -m and cron set HOME differently. The user database is
//     the same for all.
//   - The home directory for root: ProtectHome= hides it, and most units with it run as root.
//     /var/lib outlives a reboot, unlike /run, so tokens go on increasing on a machine that boots
//     with a wrong clock.
//   - A second place for users whose home is missing, hidden, read-only, remote or of another
//     owner. This may change from one run to the next (a home that is not mounted yet,
//     ProtectHome=), so the second place would be a second store. The same holds for a user number
//     that only a container knows. The refusal says how to name a store.
//
// The user is the effective one, who owns the files that are made.
func defaultOf(uid int, lookup func(uid string) (*user.User, error)) (string, error) {
	if uid == 0 {
		return rootDir, nil
	}
	u, err := lookup(strconv.Itoa(uid))
	if err != nil {
		return "", fmt.Errorf("%w: user %d is not found in the user database: %w", ErrRefused, uid, err)
	}
	if !filepath.IsAbs(u.HomeDir) {
		return "", fmt.Errorf("%w: user %s has no home directory", ErrRefused, u.Username)
	}
	info, err := os.Stat(u.HomeDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w: the home directory %s of user %s does not exist", ErrRefused, u.HomeDir, u.Username)
	case err != nil:
		return "", unusable(err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int64(st.Uid) != int64(uid) {
		return "", fmt.Errorf("%w: the home directory %s of user %s belongs to another user", ErrRefused, u.HomeDir, u.Username)
	}
	return filepath.Join(u.HomeDir, ".local", "state", "lockkeeper"), nil
}

// formerInUse returns a directory that was the default store before version 0.1, if processes use
// it now. They and the users of the present default store do not exclude each other.
func formerInUse() (string, bool) {
	uid := os.Getuid()
	mine := "lockkeeper-" + strconv.Itoa(uid)
	places := []string{
		filepath.Join("/run/user", strconv.Itoa(uid), "lockkeeper"), filepath.Join(os.TempDir(), mine), filepath.Join("/tmp", mine),
	}
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) {
		places = append(places, filepath.Join(runtime, "lockkeeper"))
	}
	i := slices.IndexFunc(places, func(dir string) bool { return owned(dir, uid) && alive(filepath.Join(dir, ".clients")) })
	if i < 0 {
		return "", false
	}
	return places[i], true
}

// owned reports whether dir is a directory of the user, and not one that another user has put
// there.
func owned(dir string, uid int) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(st.Uid) == int64(uid)
}

// alive reports whether a process reads one of the FIFOs in a directory.
func alive(dir string) bool {
	files, _ := os.ReadDir(dir) // a missing directory has no files
	return slices.ContainsFunc(files, func(f os.DirEntry) bool {
		if f.Type() != fs.ModeNamedPipe {
			return false
		}
		fd, err := syscall.Open(filepath.Join(dir, f.Name()), syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, 0)
		if err != nil {
			return false
		}
		_ = syscall.Close(fd)
		return true
	})
}

// trusted reports whether only this user and root may write to a file.
func trusted(info fs.FileInfo) bool {
	const others = 0o022
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int64(st.Uid) == int64(os.Geteuid())) && info.Mode().Perm()&others == 0
}

// userConfig is where the user keeps configuration.
func userConfig() (string, error) {
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".config"), err
}
