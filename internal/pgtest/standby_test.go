package pgtest

import "testing"

func TestAStandbyFollowsUntilItIsPromoted(t *testing.T) {
	s := Start(t)
	must(t, s, s.DSN("postgres"), "create table a (n int)")
	d := s.Standby(t, s.Addr)
	must(t, s, s.DSN("postgres"), "insert into a values (1)")
	for query(t, d, d.DSN("postgres"), "do $$ begin assert (select count(*) from a) = 1; end $$") != nil {
		if t.Context().Err() != nil {
			return
		}
	}
	if err := query(t, d, d.DSN("postgres"), "insert into a values (2)"); err == nil {
		t.Error("a standby takes writes")
	}
	s.Kill()
	d.Promote(t)
	must(t, d, d.DSN("postgres"), "insert into a values (2)")
	d.Restart(t)
	must(t, d, d.DSN("postgres"), "insert into a values (3)")
}
