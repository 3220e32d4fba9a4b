package history_test

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

const grantLine = `{"op":"grant","process":"p","id":1,"at":5,"name":"db","holder":"h","capacity":1,"weight":1,"token":1,"asked":2}` + "\n"

func TestUnfinishedLastLineIsLeftOut(t *testing.T) {
	end := `{"op":"end","process":"p","id":1,"at":9}` + "\n"
	for cut := range len(end) {
		events, err := history.Read(strings.NewReader(grantLine + end[:cut]))
		if err != nil || len(events) != 1 || events[0].End != history.Open {
			t.Fatalf("cut after %q: %v, %v", end[:cut], events, err)
		}
	}
	events, err := history.Read(strings.NewReader(grantLine + end))
	if err != nil || len(events) != 1 || events[0].End != history.Released || events[0].To != 9 {
		t.Fatalf("whole: %v, %v", events, err)
	}
}

func TestDeathEndsWhatIsOpen(t *testing.T) {
	died := func(at string) string { return `{"op":"died","process":"parent","at":` + at + `,"name":"p"}` + "\n" }
	events, err := history.Read(strings.NewReader(died("7")), strings.NewReader(grantLine))
	if err != nil || len(events) != 1 || events[0].To != 7 || events[0].End != history.Died {
		t.Errorf("Read = %v, %v", events, err)
	}
	// A grant in the moment between the note and the death.
	events, err = history.Read(strings.NewReader(died("4")), strings.NewReader(grantLine))
	if err != nil || len(events) != 1 || events[0].To != 5 || events[0].End != history.Died {
		t.Errorf("Read = %v, %v", events, err)
	}
}

func TestNonsenseIsAnError(t *testing.T) {
	for what, text := range map[string]string{
		"no JSON":                  "hello\n",
		"an unknown operation":     `{"op":"dance"}` + "\n",
		"a broken line in between": `{"op":"gra` + "\n" + grantLine,
		"an end without a grant":   `{"op":"end","process":"p","id":2,"at":9}` + "\n",
		"two processes of a name":  grantLine + grantLine,
	} {
		if events, err := history.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s is read as %v", what, events)
		}
	}
	if _, err := history.ReadFiles(t.TempDir() + "/missing"); err == nil {
		t.Error("a missing file is no error")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(grantLine)
	f.Add(grantLine + `{"op":"end","process":"p","id":1,"at":9}` + "\n")
	f.Fuzz(func(_ *testing.T, text string) {
		events, err := history.Read(strings.NewReader(text))
		if err == nil {
			_ = history.Check(events).String()
		}
	})
}
