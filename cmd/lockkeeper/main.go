package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

// storeHelp is the help of each --store.
const storeHelp = "Where locks are kept: file:DIR, redis://HOST:PORT or rediss://HOST:PORT. Default: file:DIR with DIR " + store.DefaultText

// commandLine is what users write; package kong reads the tags.
type commandLine struct {
	Run        runCmd        `cmd:"" help:"Hold a lock while a command runs: lockkeeper run [flags] NAME -- COMMAND [ARGUMENT …]"`
	Ls         lsCmd         `cmd:"" help:"Tell who holds and who waits: lockkeeper ls [NAME …]"`
	Top        topCmd        `cmd:"" help:"The same again and again, until interrupted: lockkeeper top [--every 1s] [NAME …]"`
	Break      breakCmd      `cmd:"" help:"Take a lock from whoever holds it: lockkeeper break NAME …"`
	Doctor     doctorCmd     `cmd:"" help:"Look whether the store is fit for locks, and mend it: lockkeeper doctor [--repair]"`
	Demo       demoCmd       `cmd:"" help:"Watch processes contend for locks, one being killed, and see the result checked."`
	DemoWorker demoWorkerCmd `cmd:"" hidden:""`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// streams are those of the process.
type streams struct {
	in, out, err *os.File
	messages     io.Writer // in place of err; nil: err
	args         []string  // of the process
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

func main() {
	os.Exit(run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// subcommand is what every field of commandLine with a cmd tag is.
type subcommand interface {
	Run(s streams) exitCode
}

// run does what the arguments say and returns the exit status.
func run(args []string, s streams) int {
	var cl commandLine
	done := -1 // set by --help and --version, after which kong goes on
	parser, err := kong.New(&cl,
		kong.Name("lockkeeper"),
		kong.Description("Locks for the processes of one machine or of many. Exit status of run: that of the command; "+
			"64 usage, 69 store unavailable, 75 busy, 76 lease lost, 77 permission denied, 126 and 127 command not started."),
		kong.Vars{"version": version(), "store": storeHelp},
		kong.Writers(s.out, s.err),
		kong.KindMapper(reflect.String, kong.MapperFunc(verbatim)),
		kong.WithHyphenPrefixedParameters(true), // a negative number is a value, which is then refused by its meaning
		kong.Exit(func(code int) {
			if done < 0 {
				done = code
			}
		}),
	)
	if err != nil {
		s.warn("bug: %v", err)
		return int(exitBug)
	}
	ctx, err := parser.Parse(args)
	switch {
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
	s.args = args
	return int(cmd.Run(s))
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

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
