//go:build unix

package command

import (
	"errors"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// relative is what matters of a process here.
type relative struct {
	parent, group int
	stopped       bool // known on Linux only
}

// descendants returns the live processes below root, each after its parent, and their groups.
//
// A process that is started meanwhile may be missing. A signal that ends for certain is therefore
// sent again after each end of a child, until nobody is left: the children of a process that has
// ended become ours (see adopt), so the last look sees them.
func descendants(root int) (pids []int, groups map[int]int) {
	all := processes()
	children := make(map[int][]int)
	for pid, r := range all {
		children[r.parent] = append(children[r.parent], pid)
	}
	groups = make(map[int]int)
	for next := []int{root}; len(next) > 0; next = next[1:] {
		for _, pid := range children[next[0]] {
			if _, seen := groups[pid]; !seen { // the list is no snapshot: a number may be seen twice
				groups[pid] = all[pid].group
				pids, next = append(pids, pid), append(next, pid)
			}
		}
	}
	return pids, groups
}

// signalFamily sends a signal to the processes below root, and to pid, if that is not 0. With apart, pid
// leads a group of its own, which gets the signal as a whole: then no process that is just being
// started in it can be missed. It returns who is left, and who may not be signalled: those that
// have changed their user.
//
// A number that was listed may be another process's by now only if all numbers were given out
// meanwhile, since they are given out in turn.
func signalFamily(root, pid int, apart bool, sig syscall.Signal) (left, denied []int) {
	if apart {
		_ = unix.Kill(-pid, sig) // whoever of it may not be signalled is found below
	}
	left, groups := descendants(root)
	if pid != 0 && !slices.Contains(left, pid) {
		left = append(left, pid)
	}
	for _, p := range left {
		s := sig
		if apart && (groups[p] == pid || p == pid) {
			s = 0 // it has got the signal: only ask
		}
		if err := unix.Kill(p, s); errors.Is(err, unix.EPERM) {
			denied = append(denied, p)
		}
	}
	return left, denied
}
