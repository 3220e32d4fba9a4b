//go:build !unix

package pgtest

import (
	"os"
	"syscall"
)

// How a server is told to end: here there is only one way.
var immediate, fast os.Signal = os.Kill, os.Kill

func giveAway(string) error { return nil }

func attributes() *syscall.SysProcAttr { return nil }
