//go:build unix && (cgo || darwin) && !osusergo && !android

package store

import "os/user"

// lookupUser asks the user database, whatever keeps it.
func lookupUser(uid string) (*user.User, error) { return user.LookupId(uid) }
