package manager

import (
	"context"
	"testing"
)

func TestZeroLeaseIsAReleasedOne(t *testing.T) {
	var l Lease
	wantErr(t, l.Err(), ErrReleased)
	wantErr(t, l.Release(), ErrReleased)
	wantErr(t, context.Cause(l.Context()), ErrReleased)
	if l.Valid() || l.Token() != 0 || l.Name() != "" || !l.ValidUntil().IsZero() || len(l.Leases()) != 0 {
		t.Error("the zero lease is something")
	}
}
