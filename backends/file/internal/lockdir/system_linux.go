package lockdir

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// SafetyNet is how often a waiting process looks at the table although nothing has woken it.
const SafetyNet = time.Second

// RemoteTypes are file systems whose files other machines may see, while locks or FIFOs may stay local.
var RemoteTypes = map[int64]string{
	unix.NFS_SUPER_MAGIC:   "NFS",
	unix.SMB_SUPER_MAGIC:   "SMB",
	unix.SMB2_SUPER_MAGIC:  "SMB",
	unix.CIFS_SUPER_MAGIC:  "SMB",
	unix.V9FS_MAGIC:        "9p",
	unix.AFS_SUPER_MAGIC:   "AFS",
	unix.AFS_FS_MAGIC:      "AFS",
	unix.CEPH_SUPER_MAGIC:  "Ceph",
	unix.CODA_SUPER_MAGIC:  "Coda",
	unix.FUSE_SUPER_MAGIC:  "FUSE",
	unix.OCFS2_SUPER_MAGIC: "OCFS2",
	0x01161970:             "GFS2",
	0x0bd00bd0:             "Lustre",
	0x786f4256:             "a VirtualBox share",
}

// Remote names the file system of an open directory if it is one of remoteTypes.
func Remote(fd int) string {
	return RemoteTypes[fileSystem(fd)]
}

// fileSystem returns the type of the file system of an open file; 0: not known.
func fileSystem(fd int) int64 {
	var st unix.Statfs_t
	if Retry(func() error { return unix.Fstatfs(fd, &st) }) != nil {
		return 0
	}
	return int64(st.Type) & 0xffffffff //nolint:unconvert // its type differs between architectures
}

// tellerOf returns whose time (ctime) the file system changes when a name is removed, renamed or replaced. POSIX asks it of the
// Dir and leaves it open for the file: XFS does not do it for two files whose names are exchanged, and FAT never.
func tellerOf(fd int) Teller {
	switch fileSystem(fd) {
	case unix.EXT4_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC: // the first is that of ext2 and ext3, too
		return TheFile
	case unix.XFS_SUPER_MAGIC:
		return ItsParent
	}
	return nothing
}

// inodeChange returns when the inode of an open file was last changed; zero: not known.
func inodeChange(fd int) time.Time {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return time.Time{}
	}
	return time.Unix(st.Ctim.Unix())
}

// ProcessStart returns when this process began, for people who see its number in a table. The kernel tells it in clock
// ticks since it booted. Where /proc is missing it is now.
func ProcessStart() time.Time {
	const ticks = 100 // per second, on every architecture that Go supports
	stat, err := os.ReadFile("/proc/self/stat")
	boot, err2 := os.ReadFile("/proc/stat")
	if err != nil || err2 != nil {
		return time.Now()
	}
	_, stat, _ = bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" ")) // the name may contain spaces
	fields := bytes.Fields(stat)
	_, boot, _ = bytes.Cut(boot, []byte("btime "))
	boot, _, _ = bytes.Cut(boot, []byte("\n"))
	seconds, err := strconv.ParseInt(string(boot), 10, 64)
	const starttime = 22 - 3 // the 22nd field; the third is the first here
	if err != nil || len(fields) <= starttime {
		return time.Now()
	}
	n, err := strconv.ParseInt(string(fields[starttime]), 10, 64)
	if err != nil {
		return time.Now()
	}
	return time.Unix(seconds, 0).Add(time.Duration(n) * (time.Second / ticks))
}

// alone reports whether nobody else has the open file open, in this process or any other. The kernel gives a lease for
// writing only then; it is given back at once.
func alone(fd int) bool {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		return false
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	return err == nil
}

// Flocks returns the locks on files of the directory's file system. The kernel lists all locks in
// /proc/locks, for the processes that the reader may see. There is no way to ask for one file
// without disturbing others: F_OFD_GETLK does not see flock(2), and to try the lock, even shared
// and for a microsecond, makes the "flock -n" of another process fail.
func (d *Dir) Flocks() flocks {
	text, err := os.ReadFile("/proc/locks")
	if err != nil {
		return nil
	}
	var st unix.Stat_t
	if unix.Fstat(d.FD, &st) != nil {
		return nil
	}
	device := fmt.Sprintf("%02x:%02x", unix.Major(st.Dev), unix.Minor(st.Dev))
	switch fileSystem(d.FD) {
	case unix.BTRFS_SUPER_MAGIC, unix.OVERLAYFS_SUPER_MAGIC: // stat and /proc/locks differ in the device
		device = ""
	}
	return parseLocks(string(text), device)
}

// parseLocks reads the locks of flock(2) on files of a device, or of any if it is empty.
func parseLocks(text, device string) flocks {
	locks := make(flocks)
	for line := range strings.Lines(text) {
		// "1: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF"; a waiter has "->" in place of FLOCK
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" {
			continue
		}
		where, inode, _ := cutLast(f[5], ":")
		ino, err := strconv.ParseUint(inode, 10, 64)
		if err != nil || device != "" && where != device {
			continue
		}
		pid, _ := strconv.Atoi(f[4])
		if pid > 0 && unix.Kill(pid, 0) == unix.ESRCH {
			pid = 0
		}
		locks[ino] = flockHolder{pid: pid, exclusive: f[3] == "WRITE"}
	}
	return locks
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
