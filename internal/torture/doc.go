// Package torture breaks things while processes use locks, and checks every history afterwards.
//
//	go run ./internal/torture/cmd/torture -duration 1m -seed 7
//
// One round starts worker processes (the program itself, again) over a store of its own. Their
// goroutines use claims of all kinds over a few names, while a director causes the faults of a
// schedule that follows from the seed. Every process appends what it does to a file, with the time
// of the host's monotonic clock. When the round is over, the files are put together and checked:
// see Checks. The faults, and which of them exclude exclusion without fencing, are in Faults.
//
// A violation is printed with the seed and the shortest part of the history that shows it. The
// schedule of a seed is always the same. What the goroutines do is the same too, but not their
// timing, so a rare violation may need several runs.
//
// A seeded bug is a mistake in the store's client or in the manager (see Mutants); a test shows
// that the checks find each of them.
package torture
