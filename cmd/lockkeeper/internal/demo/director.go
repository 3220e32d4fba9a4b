package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/internal/history"
)

// patience is how long a worker may take to end.
const patience = 20 * time.Second

// director is the name of the director's own part of the history.
const director = "director"

// Config says what a demo does.
type Config struct {
	Processes  int           // that contend at a time, at least 2
	Goroutines int           // in each
	Names      int           // that they contend for
	Duration   time.Duration // half of it before a process is killed
	Dir        string        // for counters and histories; must be empty
	Prefix     string        // of the names in the store
	Title      string        // where the locks are kept, for people

	// Command returns the command that runs Work in a process of its own; its standard streams are the demo's.
	Command func(process string) *exec.Cmd
	Screen  Screen
}

// A Screen shows what happens. Its methods are called by one goroutine.
type Screen interface {
	Say(text string)
	Show(s Scene)
	Judge(v *Verdict, s Scene)
}

// Scene is the state of the demo at one moment.
type Scene struct {
	Elapsed, Duration time.Duration
	Workers           []Actor // those that were killed too
}

// Actor is one worker process.
type Actor struct {
	Process  string
	PID      int
	Replaces string        // the process whose place it took
	Killed   time.Duration // when; 0: it was not
	Grants   uint64
}

// show is a demo that runs.
type show struct {
	Config
	begin   time.Time
	history *history.Recorder
	crew    *actor.OnDemand[error] // owns the goroutines that read the workers' output; its results are reports
	news    chan news
	gone    chan struct{} // closed at the end: nobody reads news any more
	workers []*worker
}

// news is a line of a worker's output, or the end of it.
type news struct {
	from  *worker
	line  string
	ended bool
}

type worker struct {
	Actor
	cmd    *exec.Cmd
	in     io.Closer
	out    io.Reader
	stderr strings.Builder
	ended  bool
}

// Run runs a demo until its time is over or ctx ends, and judges it. Then no process is left. An error says that the demo could not
// be carried through, and nothing about locks.
func Run(ctx context.Context, c Config) (*Verdict, error) {
	if err := createCounters(c.Dir, c.Names); err != nil {
		return nil, err
	}
	f, err := os.Create(historyPath(c.Dir, director))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &show{
		Config: c, begin: time.Now(), history: history.NewRecorder(f, director),
		news: make(chan news), gone: make(chan struct{}),
	}
	s.crew = actor.NewOnDemand("demo reader", func(error) {}, func(error, *actor.PanicError) {})
	defer close(s.gone)
	c.Screen.Say(c.Title)
	err = s.play(ctx)
	if err = errors.Join(err, s.finish(), s.history.Err()); err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	processes := []string{director}
	for _, w := range s.workers {
		processes = append(processes, w.Process)
	}
	c.Screen.Show(s.scene())
	c.Screen.Say("checking what the processes have recorded")
	v, err := judge(c.Dir, c.Prefix, c.Names, processes)
	if err == nil {
		c.Screen.Judge(v, s.scene())
	}
	return v, err
}

// play starts the workers, kills one half-way, and returns when the time is over. On a slow machine
// both wait until every worker has been granted something.
func (s *show) play(ctx context.Context) error {
	for range s.Processes {
		if err := s.start(""); err != nil {
			return err
		}
	}
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for killed := false; ; {
		select { // nothing here is lost by coming second
		case <-ctx.Done():
			return nil
		case n := <-s.news:
			if err := s.hear(n); err != nil {
				return err
			}
		case <-ticks.C:
			s.Screen.Show(s.scene())
			switch elapsed := time.Since(s.begin); {
			case !s.busy() && elapsed < s.Duration+patience:
			case killed && elapsed >= s.Duration:
				return nil
			case !killed && elapsed >= s.Duration/2:
				killed = true
				if err := s.replace(s.workers[1]); err != nil {
					return err
				}
			}
		}
	}
}

// busy reports whether every worker that was not killed has been granted something.
func (s *show) busy() bool {
	return !slices.ContainsFunc(s.workers, func(w *worker) bool { return w.Killed == 0 && w.Grants == 0 })
}

// start starts a worker, in the place of another or of none.
func (s *show) start(replaces string) error {
	w := &worker{Actor: Actor{Process: strconv.Itoa(len(s.workers) + 1), Replaces: replaces}}
	w.cmd = s.Command(w.Process)
	w.cmd.Stderr = &w.stderr
	in, err := w.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := w.cmd.Start(); err != nil {
		return fmt.Errorf("start process %s: %w", w.Process, err)
	}
	w.in, w.out, w.PID = in, out, w.cmd.Process.Pid
	s.workers = append(s.workers, w)
	s.crew.Go(func() error { return s.listen(w) })
	return nil
}

// listen passes a worker's output on, until it ends. It is a task.
func (s *show) listen(w *worker) error {
	lines := bufio.NewScanner(w.out)
	for lines.Scan() {
		s.report(news{from: w, line: lines.Text()})
	}
	s.report(news{from: w, ended: true})
	return nil
}

func (s *show) report(n news) {
	select { // when the show is over nobody wants the news
	case s.news <- n:
	case <-s.gone:
	}
}

// hear takes news. A worker that ends by itself has failed.
func (s *show) hear(n news) error {
	if n.ended {
		n.from.ended = true
		return s.reap(n.from)
	}
	grants, err := strconv.ParseUint(n.line, 10, 64)
	if err != nil {
		return fmt.Errorf("process %s: %q", n.from.Process, n.line)
	}
	n.from.Grants = grants
	return nil
}

// reap collects the status of a worker whose output has ended.
func (s *show) reap(w *worker) error {
	err := w.cmd.Wait()
	if w.Killed != 0 || err == nil {
		return nil
	}
	return fmt.Errorf("process %s: %w\n%s", w.Process, err, strings.TrimSpace(w.stderr.String()))
}

// replace kills a worker, in the middle of whatever it does, and starts another.
func (s *show) replace(w *worker) error {
	w.Killed = time.Since(s.begin)
	s.history.Died(w.Process)
	if err := w.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return s.start(w.Process)
}

// finish has the workers end, and returns when they have. One that does not is killed.
func (s *show) finish() error {
	var errs []error
	for _, w := range s.workers {
		errs = append(errs, ignoreClosed(w.in.Close()))
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for _, w := range s.workers {
		for !w.ended {
			select { // the order does not matter: the news of a killed worker come too
			case n := <-s.news:
				errs = append(errs, s.hear(n))
			case <-late.C:
				errs = append(errs, s.giveUp())
			}
		}
	}
	return errors.Join(errs...)
}

func (s *show) giveUp() error {
	for _, w := range s.workers {
		if !w.ended {
			_ = w.cmd.Process.Kill() // it may have ended just now
		}
	}
	return fmt.Errorf("workers that did not end within %v were killed", patience)
}

// ignoreClosed: the end of a process closes its input as well.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func (s *show) scene() Scene {
	scene := Scene{Elapsed: min(time.Since(s.begin), s.Duration), Duration: s.Duration}
	for _, w := range s.workers {
		scene.Workers = append(scene.Workers, w.Actor)
	}
	return scene
}

// TempDir makes an empty directory for a demo.
func TempDir() (dir, locks string, err error) {
	dir, err = os.MkdirTemp("", "lockkeeper-demo-")
	return dir, filepath.Join(dir, "locks"), err
}
