package harness

// Steps returns checks for sides of which each does what the one before it does, and one thing more. The first is shown
// alone, each other with what it adds to the one before. The figures are minima: see [Check.Minimum].
func Steps(sides ...string) []Check {
	checks := make([]Check, len(sides))
	for i, s := range sides {
		checks[i] = Check{What: s, Metric: "least ns/op", Ours: s, Minimum: true, NoTarget: true}
		if i > 0 {
			checks[i].Base, checks[i].Added = sides[i-1:i], true
		}
	}
	return checks
}
