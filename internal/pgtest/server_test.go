package pgtest

import (
	"os"
	"strings"
	"testing"
)

// query runs SQL with psql and returns its error.
func query(t *testing.T, s *Server, dsn, sql string) error {
	t.Helper()
	return s.tool("psql", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", sql)
}

func must(t *testing.T, s *Server, dsn, sql string) {
	t.Helper()
	if err := query(t, s, dsn, sql); err != nil {
		t.Fatal(err)
	}
}

func TestDataOutliveACrashAndAnOrderlyEnd(t *testing.T) {
	var s *Server
	t.Cleanup(func() { // after that of Start
		if _, err := os.Stat(s.dir); s.cmd.ProcessState == nil || !os.IsNotExist(err) {
			t.Errorf("something is left: %v", err)
		}
	})
	s = Start(t, "-c", "max_connections=7")
	dsn := s.Database(t)
	must(t, s, dsn, "create table a (n int); do $$ begin assert current_setting('max_connections') = '7'; end $$")
	for _, end := range []func(){s.Kill, s.Shutdown} {
		end()
		if err := query(t, s, dsn, "select 1"); err == nil {
			t.Error("a server that has ended answers")
		}
		s.Restart(t)
		must(t, s, dsn, "insert into a values (1)")
	}
	s.Restart(t) // of a server that runs
	must(t, s, dsn, "do $$ begin assert (select count(*) from a) = 2; end $$")
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	s := server.Get(t)
	a, b := s.Database(t), s.Database(t)
	must(t, s, a, "create table only_a ()")
	if err := query(t, s, b, "table only_a"); err == nil {
		t.Error("two databases are one")
	}
	if server.Get(t) != s {
		t.Error("there are two shared servers")
	}
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	dir, err := os.MkdirTemp("", "pgtest") // empty; one of the test's own is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := giveAway(dir); err != nil {
		t.Fatal(err)
	}
	s := &Server{bin: require(t), dir: dir, Addr: "127.0.0.1:1"}
	if err := s.run(); err == nil || !strings.Contains(err.Error(), s.dir) {
		t.Error(err)
	}
	if s.cmd.ProcessState == nil {
		t.Error("the process was not waited for")
	}
}
