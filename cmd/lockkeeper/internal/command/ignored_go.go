//go:build unix && !cgo

package command

import (
	"os/signal"
	"syscall"
)

// KnowsIgnored says that this build knows only of SIGHUP and SIGINT whether they were ignored when
// the program was started: the Go runtime tells of no others.
const KnowsIgnored = false

func wasIgnored(s syscall.Signal) bool {
	return (s == syscall.SIGHUP || s == syscall.SIGINT) && signal.Ignored(s)
}
