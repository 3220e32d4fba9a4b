//go:build unix && !linux

package command

import (
	"bytes"
	"fmt"
	"os/exec"
)

// adopt does nothing: a process whose parent has ended belongs to init here.
func adopt() {}

// processes returns all live processes, as ps(1) lists them.
func processes() map[int]relative {
	all := make(map[int]relative)
	ps := exec.Command("/bin/ps", "-A", "-o", "pid=,ppid=,pgid=,state=") //nolint:noctx // it ends
	list, _ := ps.Output()
	for line := range bytes.Lines(list) {
		var pid int
		var r relative
		var state string
		_, err := fmt.Sscan(string(line), &pid, &r.parent, &r.group, &state)
		if err == nil && state[0] != 'Z' {
			all[pid] = r
		}
	}
	if ps.Process != nil {
		delete(all, ps.Process.Pid)
	}
	return all
}

// hangUp does nothing: when a parent leaves the session, these systems look at the job themselves.
func hangUp(_, _, _ int) {}
