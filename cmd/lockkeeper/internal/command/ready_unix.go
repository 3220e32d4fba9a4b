//go:build unix

package command

import (
	"net"
	"os"
)

// notifyReady tells systemd that a service of type notify has started, see sd_notify(3). The front
// does it: systemd believes only the process that it has started (NotifyAccess=main). If nobody
// listens, the unit times out, and says so.
func notifyReady() {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	conn, err := net.Dial("unixgram", socket) //nolint:noctx,gosec // it is local and does not block; the user names it
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("READY=1"))
}
