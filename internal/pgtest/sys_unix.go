//go:build unix

package pgtest

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// How a server is told to end.
const (
	immediate = syscall.SIGQUIT
	fast      = syscall.SIGINT
)

// servant returns the credentials of the user that runs PostgreSQL for root, nil if the caller is
// another user.
func servant() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
	}
	return nil, errors.New("no user postgres or nobody, and PostgreSQL does not run as root")
}

// giveAway makes dir the property of the user that runs the server.
func giveAway(dir string) error {
	cred, err := servant()
	if err != nil || cred == nil {
		return err
	}
	return os.Chown(dir, int(cred.Uid), int(cred.Gid))
}

// attributes has a process run as that user, and end with the test process where the system can.
func attributes() *syscall.SysProcAttr {
	attr := diesWithParent()
	attr.Credential, _ = servant() // giveAway has reported the error
	return attr
}
