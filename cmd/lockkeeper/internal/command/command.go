package command

import (
	"os"
	"strconv"
	"strings"
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

// Env returns the environment base with the name and fencing token of a lease, in LOCK_NAME and LOCK_TOKEN.
// What base says about them, as in a command under another lock, is replaced.
func Env(base []string, name string, token uint64) []string {
	env := make([]string, 0, len(base)+2)
	for _, kv := range base {
		if !strings.HasPrefix(kv, "LOCK_NAME=") && !strings.HasPrefix(kv, "LOCK_TOKEN=") {
			env = append(env, kv)
		}
	}
	return append(env, "LOCK_NAME="+name, "LOCK_TOKEN="+strconv.FormatUint(token, 10))
}
