package command

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// adopt makes this process the parent of what its descendants leave behind, in place of init.
func adopt() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// processes returns all live processes. Those of other users may be hidden.
func processes() map[int]relative {
	all := make(map[int]relative)
	dir, err := os.Open("/proc")
	if err != nil {
		return all
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what could be read
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if r, live := look(pid); live {
			all[pid] = r
		}
	}
	return all
}

// look returns what matters of a process, and whether it is live.
func look(pid int) (r relative, live bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return r, false // it has ended
	}
	return parseStat(stat)
}

// parseStat reads pid (name) state parent group …; the name may contain anything.
func parseStat(stat []byte) (r relative, live bool) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
		return r, false
	}
	r.stopped = fields[0][0] == 'T'
	r.parent, _ = strconv.Atoi(string(fields[1]))
	r.group, _ = strconv.Atoi(string(fields[2]))
	return r, true
}

// hangUp sends HUP and CONT to a stopped job without a shell, as the kernel does when a shell ends.
// The kernel does not look at a job again when a parent leaves the session.
func hangUp(front, command, group int) {
	r, live := look(front)
	c, _ := look(command)
	if !live || !r.stopped && !c.stopped {
		return
	}
	for live && r.group == group { // up to the first ancestor outside the job, which is the shell
		front = r.parent
		r, live = look(front)
	}
	session, _ := unix.Getsid(command)
	if shell, err := unix.Getsid(front); err == nil && shell == session {
		return
	}
	_ = unix.Kill(-group, unix.SIGHUP)
	_ = unix.Kill(-group, unix.SIGCONT)
}
