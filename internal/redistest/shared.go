package redistest

import (
	"os"
	"sync"
	"testing"
)

// Shared is a server that the tests of a package share. The zero value is ready; the process starts when the first
// test asks for it.
type Shared struct {
	once sync.Once
	s    *Server
	dir  string
	err  error
}

// Get returns the server. Safe for parallel tests.
func (sh *Shared) Get(t testing.TB) *Server {
	t.Helper()
	require(t)
	sh.once.Do(func() {
		if sh.dir, sh.err = os.MkdirTemp("", "redistest"); sh.err == nil {
			sh.s, sh.err = start(Server{dir: sh.dir})
		}
	})
	if sh.err != nil {
		t.Fatal(sh.err)
	}
	return sh.s
}

// Main wraps m so that the server has ended when its Run returns, that is before a leak check.
func (sh *Shared) Main(m interface{ Run() int }) interface{ Run() int } { return sharedMain{sh, m} }

type sharedMain struct {
	sh *Shared
	m  interface{ Run() int }
}

func (m sharedMain) Run() int {
	defer func() {
		if m.sh.s != nil {
			m.sh.s.close()
		}
		if m.sh.dir != "" {
			os.RemoveAll(m.sh.dir)
		}
	}()
	return m.m.Run()
}
