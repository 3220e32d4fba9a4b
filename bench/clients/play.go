package clients

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// Obedient is a process that acquires and releases as it is told.
type Obedient struct{ *harness.Process }

// StartObedient starts one, and returns when it has connected.
func StartObedient(s Spec) (Obedient, error) {
	p, err := harness.Start(partObey, task{Spec: s})
	if err != nil {
		return Obedient{}, err
	}
	if _, err := (Obedient{p}).Answer(); err != nil {
		p.Kill()
		return Obedient{}, err
	}
	return Obedient{p}, nil
}

// Acquire tells the process to acquire; the answer comes when it has.
func (o Obedient) Acquire() error { return o.Send(acquire) }

// Release tells the process to release; the answer comes when it has.
func (o Obedient) Release() error { return o.Send(release) }

// Answer returns the answer to the last order.
func (o Obedient) Answer() (Done, error) {
	var d Done
	err := o.Receive(&d)
	if err == nil && d.Err != "" {
		err = errors.New(d.Err)
	}
	return d, err
}

// Use lets the process acquire and release once.
func (o Obedient) Use() error {
	for _, send := range []func() error{o.Acquire, o.Release} {
		if err := send(); err != nil {
			return err
		}
		if _, err := o.Answer(); err != nil {
			return err
		}
	}
	return nil
}

// Finish lets the process give the lock back and end.
func (o Obedient) Finish() error {
	err := o.Release()
	if err == nil {
		_, err = o.Answer()
	}
	return errors.Join(err, o.Close())
}

// HandOffs lets two processes hand a lock to and fro, and returns how long each hand-off took: from before the call of
// release in one to the return of acquire in the other. Grants in a row to the same process are left out.
func HandOffs(s Spec, rounds int, hold time.Duration) ([]time.Duration, error) {
	var ps []*harness.Process
	defer func() {
		for _, p := range ps {
			p.Kill()
		}
	}()
	for range 2 {
		p, err := harness.Start(partPingPong, task{Spec: s, Rounds: rounds, Hold: hold})
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	if err := letGo(ps); err != nil {
		return nil, err
	}
	turns := make([][]Turn, len(ps))
	for i, p := range ps {
		if err := p.Receive(&turns[i]); err != nil {
			return nil, err
		}
	}
	return handOffs(turns)
}

// handOffs finds the hand-offs between processes among the turns of each.
func handOffs(turns [][]Turn) ([]time.Duration, error) {
	type turn struct {
		Turn
		by int
	}
	var all []turn
	for i, ts := range turns {
		for _, t := range ts {
			all = append(all, turn{t, i})
		}
	}
	slices.SortFunc(all, func(a, b turn) int { return cmp.Compare(a.Acquired, b.Acquired) })
	var offs []time.Duration
	for i := range all[1:] {
		a, b := all[i], all[i+1]
		if b.Acquired < a.Released {
			return nil, fmt.Errorf("two holders at once: one until %v, another from %v", a.Released, b.Acquired)
		}
		if a.by != b.by {
			offs = append(offs, b.Acquired-a.Released)
		}
	}
	if len(offs) == 0 {
		return nil, errors.New("the lock never changed hands")
	}
	return offs, nil
}

// letGo waits until every process is ready and then lets all begin.
func letGo(ps []*harness.Process) error {
	for _, p := range ps {
		var word string
		if err := p.Receive(&word); err != nil {
			return err
		}
	}
	for _, p := range ps {
		if err := p.Send("go"); err != nil {
			return err
		}
	}
	return nil
}

// patience is the longest window of a crowd in which nothing is granted.
const patience = 10 * time.Second

// Crowd runs processes with as many goroutines each that all want one lock, and returns their shares
// together and the grants of each process. Begin is called when they are about to start, between when
// all have been counted and before any has disconnected. A crowd that gets nothing is run again for
// twice as long: a peer may sleep between its tries, or the machine be busy.
func Crowd(
	s Spec, processes, goroutines int, b harness.Budget, begin, between func() error,
) (sum harness.Shares, byProcess []int64, err error) {
	for ; ; b.Duration *= 2 {
		all, err := runCrowd(s, processes, goroutines, b, begin, between)
		if err != nil {
			return harness.Shares{}, nil, err
		}
		sum, byProcess = harness.Shares{}, make([]int64, len(all))
		for i, one := range all {
			byProcess[i] = one.Total()
			sum.Add(one)
		}
		if sum.Total() > 0 {
			return sum, byProcess, nil
		}
		if b.Duration >= patience {
			return sum, nil, fmt.Errorf("no grant in %v", b.Duration)
		}
	}
}

func runCrowd(s Spec, processes, goroutines int, b harness.Budget, begin, between func() error) (_ []harness.Shares, err error) {
	var ps []*harness.Process
	defer func() {
		for _, p := range ps {
			if err != nil {
				p.Kill()
				continue
			}
			err = errors.Join(err, p.Close())
		}
	}()
	for range processes {
		p, err := harness.Start(partCrowd, task{Spec: s, Goroutines: goroutines, Budget: b})
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	if err := begin(); err != nil {
		return nil, err
	}
	if err := letGo(ps); err != nil {
		return nil, err
	}
	shares := make([]harness.Shares, len(ps))
	for i, p := range ps {
		if err := p.Receive(&shares[i]); err != nil {
			return nil, err
		}
	}
	return shares, between()
}
