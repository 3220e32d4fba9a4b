package pgtest

import (
	"net/url"
	"testing"
)

func TestABouncerLeadsToItsServer(t *testing.T) {
	s := server.Get(t)
	dsn, err := url.Parse(s.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	must(t, s, dsn.String(), "create table only_here ()")
	dsn.Host = s.Bouncer(t)
	must(t, s, dsn.String(), "table only_here")
}
