package harness

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Question is what a case of one round asks of every side, where the answer is more than a figure.
type Question struct {
	Text   string
	Answer func(Metrics) string // from the figures of a side: "yes, 480 ms before"
}

// answer returns what a side answers; empty if it was not measured.
func (o Outcome) answer(side string) string {
	if m, ok := o.Rounds[0][side]; ok {
		return o.Case.Question.Answer(m)
	}
	return ""
}

// asked returns the outcomes of cases that ask something.
func asked(outs []Outcome) []Outcome {
	return slices.DeleteFunc(slices.Clone(outs), func(o Outcome) bool { return o.Case.Question == nil || len(o.Rounds) == 0 })
}

// Answers writes what each side of each case answers, for a terminal.
func Answers(w io.Writer, outs []Outcome) error {
	var b strings.Builder
	for _, o := range asked(outs) {
		fmt.Fprintf(&b, "\n%s\n", o.Case.Question.Text)
		for _, s := range o.Case.Sides {
			fmt.Fprintf(&b, "  %-20s %s\n", s.Name, o.answer(s.Name))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// answersMarkdown writes the same as a table: a line for each question, a column for each side.
func answersMarkdown(b *strings.Builder, outs []Outcome) {
	var sides []string
	for _, o := range asked(outs) {
		for _, s := range o.Case.Sides {
			if !slices.Contains(sides, s.Name) {
				sides = append(sides, s.Name)
			}
		}
	}
	if len(sides) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Faults\n\n| | %s |\n|---|%s\n", strings.Join(sides, " | "), strings.Repeat("---|", len(sides)))
	for _, o := range asked(outs) {
		cells := []string{o.Case.Question.Text}
		for _, s := range sides {
			cells = append(cells, o.answer(s))
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
}
