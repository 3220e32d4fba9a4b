package backends

import (
	"context"
	"fmt"
)

// Level says how much a finding matters.
type Level uint8

// The levels. The zero Level is OK.
const (
	OK      Level = iota // as it should be
	Note                 // good to know; nothing has to be done
	Warning              // locks work, but a promise is weaker than it could be
	Failure              // locks do not work, or cannot be relied on
)

// String returns "ok", "note", "warning" or "failure".
func (l Level) String() string {
	switch l {
	case OK:
		return "ok"
	case Note:
		return "note"
	case Warning:
		return "warning"
	case Failure:
		return "failure"
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// Finding is one thing that a look at a store has brought to light. Its texts are sentences for
// people, without a full stop at the end, and may change between versions; Topic may be relied on.
type Finding struct {
	Level Level
	Topic string // what was looked at, in one word or two: "version", "eviction", "clock"
	What  string // what was found
	Means string // what that means for locks
	Mend  string // how to mend it; empty if there is nothing to mend
}

// A Checker is a store that can look whether it is fit for locks. Backends implement it where there
// is something to check.
type Checker interface {
	// Check looks at the store as this client sees it, and returns what it found, in a fixed order
	// of topics. It changes nothing that a user of locks could see. A fact that cannot be found out
	// is itself a finding, and so is a store that answers with a refusal. The error is only for a
	// store that cannot be reached at all (ErrUnavailable), for the end of ctx, or for ErrClosed;
	// the findings made until then come with it.
	Check(ctx context.Context) ([]Finding, error)
}

// Worst returns the highest level among the findings; OK if there are none.
func Worst(fs []Finding) Level {
	worst := OK
	for _, f := range fs {
		worst = max(worst, f.Level)
	}
	return worst
}
