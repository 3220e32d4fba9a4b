package cli

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

// storeHelp is the help of each --store.
const storeHelp = "Where locks are kept: a directory, redis://HOST:PORT, … (go doc). Default: the directory " + store.DefaultText

// commandLine is what users write; package kong reads the tags.
type commandLine struct {
	runLine
	Ls         lsCmd         `cmd:"" help:"List holders and waiters: lockkeeper ls [NAME …]"`
	Show       showCmd       `cmd:"" help:"Show everything about one name: lockkeeper show [--json] NAME"`
	Top        topCmd        `cmd:"" help:"List them again and again, until interrupted: lockkeeper top [--every 1s] [NAME …]"`
	Serve      serveCmd      `cmd:"" help:"Show the store as a web page: lockkeeper serve [--listen HOST:PORT] [--allow-break]"`
	Break      breakCmd      `cmd:"" help:"Take a lock from its holders: lockkeeper break NAME …"`
	Doctor     doctorCmd     `cmd:"" help:"Check that the store is fit for locks, and mend it: lockkeeper doctor [--repair]"`
	VersionCmd versionCmd    `cmd:"" name:"version" help:"Print the version."`
	Completion completionCmd `cmd:"" help:"Print the script by which a shell completes lines of lockkeeper: lockkeeper completion bash|zsh|fish"`
	Man        manCmd        `cmd:"" help:"Print the manual page: lockkeeper man | man -l -"`
	Demo       demoCmd       `cmd:"" help:"Watch processes contend for locks, one being killed, and see the result checked."`
	DemoWorker demoWorkerCmd `cmd:"" hidden:""`
}

// runLine is the part of commandLine that a line of run needs. Package kong takes time for each
// subcommand that it knows, and run is to cost little.
type runLine struct {
	Run     runCmd      `cmd:"" help:"Hold a lock while a command runs: lockkeeper run [flags] NAME -- COMMAND [ARGUMENT …]"`
	Version versionFlag `help:"Print the version and exit."`
}

// streams are those of the process.
type streams struct {
	in, out, err *os.File
	messages     io.Writer     // in place of err; nil: err
	args         []string      // of the process
	link         *command.Link // of a holder; else nil
	comment      string        // of the program, in a Go file
}

// warn writes a message, each line of it marked as lockkeeper's.
func (s streams) warn(format string, args ...any) {
	to := s.messages
	if to == nil {
		to = s.err
	}
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(to, "lockkeeper: %s\n", strings.ReplaceAll(text, "\n", "\nlockkeeper: "))
}

// fail writes why a subcommand ends, and returns its exit status.
func (s streams) fail(err error) exitCode {
	s.warn("%v", err)
	return codeOf(err)
}

// Main does what the arguments of the process say, and returns its exit status. The manual page is
// made of comment, the Go file with the comment of the program.
func Main(comment string) int {
	return run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, comment: comment})
}

// subcommand is what every field of commandLine with a cmd tag is.
type subcommand interface {
	Run(s streams) exitCode
}

// run does what the arguments say and returns the exit status.
func run(args []string, s streams) int {
	s.args = args
	if s.link = command.Attach(); s.link != nil {
		s.messages = s.link
	} else if startsAtOnce(args) {
		return int(s.front())
	}
	out := &stickyWriter{to: s.out}
	ctx, done, err := parse(args, s, out)
	switch {
	case out.err != nil:
		return int(s.fail(printed(out.err)))
	case done >= 0:
		return done
	case err != nil:
		s.warn("%v (see lockkeeper --help)", err)
		return int(exitUsage)
	}
	cmd, ok := ctx.Selected().Target.Addr().Interface().(subcommand)
	if !ok {
		s.warn("bug: %s does nothing", ctx.Command())
		return int(exitBug)
	}
	return int(cmd.Run(s))
}

// startsAtOnce reports whether the front can start the holder before it knows what the arguments
// mean: the holder reads them too, and refuses what makes no sense. Help comes from this process,
// since a terminal may stop what is not in its foreground. An argument that only looks like a wish
// for help costs a few milliseconds.
func startsAtOnce(args []string) bool {
	if len(args) == 0 || args[0] != "run" {
		return false
	}
	for _, arg := range args[1:] {
		switch short := strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--"); {
		case arg == "--":
			return true
		case short && strings.Contains(arg, "h"), strings.HasPrefix(arg, "--help"), strings.HasPrefix(arg, "--version"):
			return false
		}
	}
	return true
}

// parse reads the arguments. If they ask for help or the version, that is printed, and done is the exit
// status; else done is negative.
func parse(args []string, s streams, out io.Writer) (ctx *kong.Context, done int, err error) {
	var cl any = &commandLine{}
	if len(args) > 0 && args[0] == "run" {
		cl = &runLine{}
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	done = -1
	parser := newParser(cl, s, out, func(code int) {
		if done < 0 { // kong goes on after it has printed
			done = code
		}
	})
	ctx, err = parser.Parse(args)
	return ctx, done, err
}

// newParser returns the parser of a command line, which is a *commandLine or a *runLine. Help and
// version go to out.
func newParser(cl any, s streams, out io.Writer, exit func(int)) *kong.Kong {
	parser, err := kong.New(cl,
		kong.Name("lockkeeper"),
		kong.Description("Locks for the processes of one machine or of many. Exit status of run: that of the command; "+
			"64 usage, 69 store unavailable, 75 busy, 76 lease lost, 77 permission denied, 126 and 127 command not started."),
		kong.Vars{"store": storeHelp},
		kong.Writers(out, s.err),
		kong.KindMapper(reflect.String, kong.MapperFunc(verbatim)),
		kong.NamedMapper("further", kong.MapperFunc(furtherMapper)),
		kong.WithHyphenPrefixedParameters(true), // a negative number is a value, which is then refused by its meaning
		kong.Exit(exit),
	)
	if err != nil {
		panic("bug: " + err.Error())
	}
	return parser
}

// verbatim takes an argument byte by byte: names and file names need not be text. Kong's own mapper passes strings through
// JSON, which replaces the bytes that are not UTF-8.
func verbatim(ctx *kong.DecodeContext, target reflect.Value) error {
	t, err := ctx.Scan.PopValue("string")
	if err != nil {
		return err
	}
	text, ok := t.Value.(string)
	if !ok {
		return fmt.Errorf("want a string, not %v", t.Value)
	}
	target.SetString(text)
	return nil
}

// versionFlag prints the version, and ends the program.
type versionFlag bool

// BeforeReset is called by kong.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	fmt.Fprintln(app.Stdout, version()) // an error is kept by the output
	app.Exit(0)
	return nil
}

// versionCmd prints the version, as the flag does.
type versionCmd struct{}

// Run prints it.
func (versionCmd) Run(s streams) exitCode {
	if _, err := fmt.Fprintln(s.out, version()); err != nil {
		return s.fail(printed(err))
	}
	return exitOK
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
