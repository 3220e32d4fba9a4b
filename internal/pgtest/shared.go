package pgtest

import (
	"fmt"
	"sync"
	"testing"
)

// Shared is a server that the tests of a package share. The zero value is ready; the server starts
// when the first test asks for it.
type Shared struct {
	once sync.Once
	s    *Server
	err  error
}

// Get returns the server. Safe for parallel tests.
func (sh *Shared) Get(t testing.TB) *Server {
	t.Helper()
	bin := require(t)
	sh.once.Do(func() { sh.s, sh.err = start(bin, nil, nil) })
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
	}()
	return m.m.Run()
}

// Launch runs a server for a program that is no test, which calls end when it needs it no more.
func Launch(args ...string) (s *Server, end func(), err error) {
	bin, err := find()
	if err != nil {
		return nil, nil, fmt.Errorf("install PostgreSQL: %w", err)
	}
	if s, err = start(bin, nil, args); err != nil {
		return nil, nil, err
	}
	return s, s.close, nil
}
