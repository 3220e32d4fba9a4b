package file

import "testing"

func TestWithSync(t *testing.T) {
	b := open(t, t.TempDir()+"/locks", WithSync())
	g := mustAcquire(t, b, mutex("db"))
	mustRelease(t, b, g)
	if h := mustAcquire(t, b, permits("db", 1, 2)); h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
}
