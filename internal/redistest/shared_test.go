package redistest_test

import "testing"

func TestSharedServerIsOneAndPrefixesDiffer(t *testing.T) {
	a, b := shared.Get(t), shared.Get(t)
	if a != b {
		t.Fatal("two servers")
	}
	if p, q := a.Prefix(), b.Prefix(); p == q {
		t.Fatalf("prefix %q twice", p)
	}
}
