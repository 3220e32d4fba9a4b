package command

import (
	"os"
	"time"
)

// Exit statuses that a shell uses too.
const (
	NotExecutable = 126 // found, but cannot be executed
	NotFound      = 127
	signalled     = 128 // plus the number of the signal
)

// A Command is what to run, and for how long it may.
type Command struct {
	Argv      []string          // the program, looked up in PATH, and its arguments; at least one
	Env       []string          // whole environment, key=value; the last value of a key counts
	Files     [3]*os.File       // standard input, output and error
	Lost      <-chan struct{}   // closed when the lease ends; nil: never
	Grace     time.Duration     // from SIGTERM to SIGKILL when the lease was lost; 0: SIGKILL at once
	KillAfter *time.Duration    // from a signal that asks for the end to SIGKILL; nil: never
	Sigs      <-chan Signal     // to pass on, if there is no link
	Warn      func(text string) // told why the command is being ended, after it was signalled; may be nil
	Link      *Link             // of a holder; nil: the command has none to outlive
}

// Result is how a command ended.
type Result struct {
	Code int  // its exit status; 128 plus the number of the signal that ended it
	Lost bool // the lease was lost before the command had ended
}
