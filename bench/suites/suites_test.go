package suites

import "testing"

func TestChooseTakesNamesOnceAndRefusesOthers(t *testing.T) {
	got, err := Choose("actor,actor")
	if err != nil || len(got) != 1 || got[0].Name != "actor" {
		t.Errorf("Choose(actor,actor) = %v, %v", got, err)
	}
	if all, err := Choose("all"); err != nil || len(all) != len(All()) {
		t.Errorf("Choose(all) = %d suites, %v", len(all), err)
	}
	if _, err := Choose("actor,nosuch"); err == nil {
		t.Error("a suite that does not exist was accepted")
	}
}
