package proctest

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// variable names the helper that a process is to be.
const variable = "LOCKKEEPER_PROCTEST_HELPER"

// helpers are the names that were registered. Written in TestMain, before any test runs.
var helpers = make(map[string]bool)

// Register names a helper. In a process that was started as this helper it calls run and ends the process: with
// status 0, or with 1 and a message on standard error if run returns an error. Call it in TestMain only.
func Register(name string, run func(c *Child) error) {
	if helpers[name] {
		panic("proctest: two helpers are called " + name)
	}
	helpers[name] = true
	if os.Getenv(variable) != name {
		return
	}
	if err := os.Unsetenv(variable); err != nil { // what the helper starts is no helper
		fatal(name, err)
	}
	c := &Child{Args: os.Args[1:], in: bufio.NewReader(os.Stdin)}
	if err := run(c); err != nil {
		fatal(name, err)
	}
	os.Exit(0)
}

func fatal(name string, err error) {
	fmt.Fprintf(os.Stderr, "helper %s: %v\n", name, err)
	os.Exit(1)
}

// Child is the helper's end of the conversation.
type Child struct {
	Args []string
	in   *bufio.Reader
}

// Say sends one line to the test, in one write, so that several goroutines may speak. A test that does not listen any
// more ends the helper.
func (c *Child) Say(format string, args ...any) {
	line := strings.TrimSuffix(fmt.Sprintf(format, args...), "\n") + "\n"
	if _, err := os.Stdout.WriteString(line); err != nil {
		os.Exit(1)
	}
}

// Listen waits for the next line from the test, of any length; false: there will be none. It is for one goroutine at a time.
func (c *Child) Listen() (line string, ok bool) {
	line, err := c.in.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err == nil
}
