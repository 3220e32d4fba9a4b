package redistest

import (
	"fmt"
	"net"
	"testing"
)

// StartSentinel runs a sentinel, until the end of the test, that watches a primary under the name "primary" and decides
// by itself when it is gone.
func StartSentinel(t testing.TB, primary *Server) *Server {
	t.Helper()
	return StartSentinels(t, primary, 1)[0]
}

// StartSentinels runs n sentinels that watch a primary; most of them have to agree that it is gone.
func StartSentinels(t testing.TB, primary *Server, n int) []*Server {
	t.Helper()
	all := make([]*Server, n)
	for i := range all {
		all[i] = launch(t, Server{conf: watch(primary, n/2+1)})
	}
	return all
}

// Watch makes a sentinel watch another primary from its next Restart on.
func (s *Server) Watch(primary *Server) { s.conf = watch(primary, 1) }

func watch(primary *Server, quorum int) string {
	host, port, _ := net.SplitHostPort(primary.Addr)
	return fmt.Sprintf("sentinel monitor primary %s %s %d\n"+
		"sentinel down-after-milliseconds primary 500\nsentinel failover-timeout primary 5000\n", host, port, quorum)
}
