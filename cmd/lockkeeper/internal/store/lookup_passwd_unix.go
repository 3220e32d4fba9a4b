//go:build unix && !((cgo || darwin) && !osusergo && !android)

package store

import (
	"bufio"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// lookupUser asks /etc/passwd, the only user database that a program built without cgo can ask. For
// a user that is not listed there, package os/user takes HOME and USER from the environment.
func lookupUser(uid string) (*user.User, error) {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Split(lines.Text(), ":"); len(fields) > 2 && fields[2] == uid {
			return user.LookupId(uid)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	n, _ := strconv.Atoi(uid)
	return nil, user.UnknownUserIdError(n)
}
