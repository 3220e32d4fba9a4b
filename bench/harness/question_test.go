package harness

import (
	"fmt"
	"strings"
	"testing"
)

func TestAnswersAreATableOfQuestionsAndSides(t *testing.T) {
	outs := []Outcome{
		{Case: Case{Name: "no question"}},
		{
			Case: Case{
				Name: "crash", Sides: []Side{{Name: "a"}, {Name: "b"}},
				Question: &Question{"Who is late?", func(m Metrics) string { return fmt.Sprintf("%g ms", m["ms"]) }},
			},
			Rounds: []map[string]Metrics{{"a": {"ms": 7}}},
		},
	}
	var text, page strings.Builder
	if err := Answers(&text, outs); err != nil {
		t.Fatal(err)
	}
	answersMarkdown(&page, outs)
	for _, want := range []string{"Who is late?", "7 ms"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(page.String(), want) {
			t.Errorf("no %q in\n%s\n%s", want, &text, &page)
		}
	}
	if !strings.Contains(page.String(), "| Who is late? | 7 ms |  |") {
		t.Errorf("b was not measured:\n%s", &page)
	}
	page.Reset()
	if answersMarkdown(&page, outs[:1]); page.Len() > 0 {
		t.Errorf("a table without questions:\n%s", &page)
	}
}
