package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// part is the variable that tells a started copy of this program which part it plays.
const part = "LKBENCH_PART"

// Part is what a process of its own does. It reads its arguments and later orders from in, and writes its answers to out,
// both as JSON values. Its ctx ends when the parent closes the pipe, which the kernel does for a parent that dies: no
// process is left behind.
type Part func(ctx context.Context, p *Pipe) error

// Pipe is a part's connection to its parent.
type Pipe struct {
	orders  chan json.RawMessage
	answers *json.Encoder
}

// Receive decodes the parent's next order; it fails when the parent has gone.
func (p *Pipe) Receive(ctx context.Context, v any) error {
	select {
	case <-ctx.Done(): // orders that were not received are of no use to a part that ends
		return ctx.Err()
	case o := <-p.orders:
		return json.Unmarshal(o, v)
	}
}

// Send tells the parent.
func (p *Pipe) Send(v any) error { return p.answers.Encode(v) }

// Dispatch plays the part that this process was started for, and exits; in a process that was started by hand it
// returns. Call it first in main and in TestMain.
func Dispatch(parts map[string]Part) {
	name := os.Getenv(part)
	if name == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Pipe{orders: make(chan json.RawMessage, 16), answers: json.NewEncoder(os.Stdout)}
	go func() {
		defer cancel()
		in := json.NewDecoder(bufio.NewReader(os.Stdin))
		for {
			var o json.RawMessage
			if in.Decode(&o) != nil {
				return
			}
			p.orders <- o
		}
	}()
	run := parts[name]
	if run == nil {
		fmt.Fprintf(os.Stderr, "lkbench: no part %q\n", name)
		os.Exit(2)
	}
	if err := run(ctx, p); err != nil && !(ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		fmt.Fprintf(os.Stderr, "lkbench: %s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Process is a copy of this program that plays a part.
type Process struct {
	cmd *exec.Cmd
	in  *json.Encoder
	end io.Closer
	out *json.Decoder
}

// Start starts a process and sends it its arguments.
func Start(name string, args any) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), part+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, in: json.NewEncoder(in), end: in, out: json.NewDecoder(out)}
	if err := p.Send(args); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// Send gives the process an order.
func (p *Process) Send(v any) error { return p.in.Encode(v) }

// hung is after how long a process that owes an answer is taken for dead.
const hung = 90 * time.Second

// Receive decodes the next answer of the process. It fails if the process ends without one, and kills one that gives none
// for a minute and a half, with a dump of its goroutines on the standard error.
func (p *Process) Receive(v any) error {
	late := time.AfterFunc(hung, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) })
	defer late.Stop()
	if err := p.out.Decode(v); err != nil {
		return fmt.Errorf("process %d: %w", p.cmd.Process.Pid, err)
	}
	return nil
}

// Signal sends the process a signal, SIGSTOP say.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Kill ends the process as a crash would (SIGKILL), and waits for it. It is harmless after Close.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	_ = p.end.Close()
	_ = p.cmd.Wait()
}

// Close tells the process to end and waits for it; one that has not ended after a minute is killed.
func (p *Process) Close() error {
	_ = p.end.Close()
	late := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	return p.cmd.Wait()
}
