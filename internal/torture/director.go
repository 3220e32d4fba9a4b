//go:build linux

package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/manager"
)

// director runs one round: it starts the workers, causes faults, and ends it all.
type director struct {
	Config
	store Store
	bed   Bed
	dir   string
	start int64
	log   *log
	steps []Step

	mu      sync.Mutex // guards what follows: each track of faults has a goroutine
	workers []*process // by place
	began   int        // how many were started
	door    string     // the store's own address, which a fault may change
}

// process is a worker.
type process struct {
	name   string
	cmd    *exec.Cmd
	in     io.Closer
	stderr bytes.Buffer
}

// play runs a round of a store in a directory, and returns all events. An error says that the round
// could not be carried through, and nothing about locks.
func play(ctx context.Context, c Config, store Store, dir string) (r *round, err error) {
	s := &Stage{&stage{dir: filepath.Join(dir, "store")}}
	defer s.end()
	defer catch(&err)
	d := &director{Config: c, store: store, dir: filepath.Join(dir, "events")}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	if d.log, err = newLog(d.dir, "main"); err != nil {
		return nil, err
	}
	d.bed = store.Start(s, c)
	d.door = d.bed.Address(-1)
	d.start = history.Now()
	d.steps = schedule(random(c.Seed, store.Name), c, d.possible())
	d.workers = make([]*process, c.Processes)
	defer d.killAll()
	for place := range d.workers {
		if err := d.launch(place); err != nil {
			return nil, err
		}
	}
	if err := d.rage(ctx); err != nil {
		return nil, err
	}
	if err := d.finish(); err != nil {
		return nil, err
	}
	d.harvest()
	if err := d.log.close(); err != nil {
		return nil, err
	}
	events, err := readEvents(d.dir)
	return &round{Config: c, store: store.Name, start: d.start, steps: d.steps, events: events}, err
}

// faults returns the faults of the round.
func (c Config) faults(store Store) []Fault {
	var all []Fault
	for _, f := range append(append([]Fault{}, processFaults...), store.Faults...) {
		if len(c.Faults) == 0 || contains(c.Faults, f.Name) {
			all = append(all, f)
		}
	}
	return all
}

// possible returns those of the faults that the bed can cause here.
func (d *director) possible() []Fault {
	all := d.faults(d.store)
	if l, ok := d.bed.(limited); ok {
		all = slices.DeleteFunc(all, func(f Fault) bool { return !f.process && !l.Can(f) })
	}
	return all
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// launch starts the worker of a place.
func (d *director) launch(place int) error {
	p := &process{name: fmt.Sprintf("p%d.%d", place, d.began)}
	d.began++
	text, err := json.Marshal(part{
		Config: d.Config, Store: d.store.Name, Process: p.name, Place: place,
		Address: d.bed.Address(place), Dir: d.dir, Start: d.start,
	})
	if err != nil {
		return err
	}
	program := d.Program
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return err
		}
	}
	p.cmd = exec.Command(program)
	p.cmd.Env = append(os.Environ(), variable+"="+string(text), "GORACE=atexit_sleep_ms=20 "+os.Getenv("GORACE"))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stderr = &p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	d.workers[place] = p
	return nil
}

// rage causes the faults, each at its time, and returns when the time is over.
func (d *director) rage(ctx context.Context) error {
	var observer sync.WaitGroup
	defer observer.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	observer.Go(func() { d.observe(ctx) })
	errs := make(chan error, 2)
	for _, process := range []bool{true, false} {
		go func() { errs <- d.track(ctx, process) }()
	}
	err := <-errs
	if err != nil {
		cancel()
	}
	return errors.Join(err, <-errs)
}

func (d *director) track(ctx context.Context, process bool) (err error) {
	defer catch(&err)
	for _, s := range d.steps {
		if s.Fault.process != process {
			continue
		}
		if err := d.wait(ctx, s.At); err != nil {
			return err
		}
		from := history.Now()
		if time.Duration(from-d.start)+s.For+settle(d.Config) > d.Duration {
			break // those before it took longer than their time
		}
		whom := ""
		if process {
			if whom, err = d.strike(s); err != nil {
				return err
			}
		} else {
			d.bed.Cause(s)
			d.moved(d.bed.Address(-1))
			if s.Fault.Link {
				whom = d.worker(s.Target).name
			}
		}
		d.log.add(event{Kind: fault, At: from, Until: history.Now(), Name: s.Fault.Name, Text: whom})
	}
	return d.wait(ctx, d.Duration)
}

func (d *director) worker(place int) *process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.workers[place]
}

// wait waits for a time of the round.
func (d *director) wait(ctx context.Context, at time.Duration) error {
	return d.pause(ctx, at-time.Duration(history.Now()-d.start))
}

func (d *director) pause(ctx context.Context, length time.Duration) error {
	t := time.NewTimer(length)
	defer t.Stop()
	select { // the end of ctx may come second: the next wait finds it
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// strike causes a fault of a process.
func (d *director) strike(s Step) (string, error) {
	p := d.worker(s.Target)
	var err error
	switch s.Fault.Name {
	case "kill":
		d.log.add(event{Kind: died, Name: p.name})
		if err := p.cmd.Process.Kill(); err != nil {
			return "", fmt.Errorf("worker %s: %w", p.name, errors.Join(err, p.wait()))
		}
		_ = p.cmd.Wait() // it was killed
		d.mu.Lock()
		defer d.mu.Unlock()
		return p.name, d.launch(s.Target)
	case "no-descriptors":
		for end := time.Now().Add(patience); !d.begun(p) && time.Now().Before(end); {
			Pause(time.Millisecond)
		}
		err = p.starve(s.For)
	default:
		err = p.cmd.Process.Signal(syscall.SIGSTOP)
		Pause(s.For)
		err = errors.Join(err, p.cmd.Process.Signal(syscall.SIGCONT))
	}
	if err != nil {
		return "", fmt.Errorf("worker %s: %w", p.name, errors.Join(err, p.wait()))
	}
	return p.name, nil
}

// begun reports whether the process has logged something: before, it still opens what it needs.
func (d *director) begun(p *process) bool {
	info, err := os.Stat(filepath.Join(d.dir, p.name+logEnding))
	return err == nil && info.Size() > 0
}

// starve leaves the process no descriptor for a while: what is open stays open.
func (p *process) starve(d time.Duration) error {
	pid := p.cmd.Process.Pid
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		return err
	}
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}, nil)
	Pause(d)
	return errors.Join(err, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &old, nil))
}

// wait waits for the end of the process; an error has what it wrote.
func (p *process) wait() error {
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%w\n%s", err, bytes.TrimSpace(p.stderr.Bytes()))
	}
	return nil
}

// finish has the workers end, and waits for them.
func (d *director) finish() error {
	for _, p := range d.workers {
		if err := p.in.Close(); err != nil {
			return err
		}
	}
	for place, p := range d.workers {
		late := time.AfterFunc(4*patience, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) })
		err := p.wait()
		late.Stop()
		d.workers[place] = nil
		if err != nil {
			return fmt.Errorf("worker %s: %w", p.name, err)
		}
	}
	return nil
}

func (d *director) killAll() {
	for _, p := range d.workers {
		if p != nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	}
}

// harvest looks at what is left of the round: all permits can be had again, and the store keeps
// nothing that it should not.
func (d *director) harvest() {
	b, err := d.store.Open(d.Config, d.bed.Address(-1))
	if err != nil {
		d.find("open: %v", err)
		return
	}
	m, err := manager.New(b, manager.WithTTL(d.TTL))
	if err != nil {
		d.find("manager: %v", err)
		return
	}
	w := &worker{manager: m}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, r := range d.resources() {
		a := &act{}
		w.take(a, share{r, r.capacity})
		lease, err := a.claim.Acquire(ctx) // a grant of a killed process has to expire
		if err != nil {
			d.find("not all permits of %q are free: %v", r.name, err)
			continue
		}
		if err := lease.Release(); err != nil {
			d.find("release %q: %v", r.name, err)
		}
	}
	if err := m.Close(ctx); err != nil {
		d.find("close: %v", err)
	}
	for _, what := range d.bed.Left() {
		d.find("left behind: %s", what)
	}
}

func (d *director) find(format string, args ...any) {
	d.log.add(event{Kind: harvest, Text: fmt.Sprintf(format, args...)})
}
