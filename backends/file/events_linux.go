package file

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// fileEvents is an inotify instance, read through the runtime's poller.
type fileEvents struct{ file *os.File }

func (e *fileEvents) close() {
	if e != nil {
		_ = e.file.Close()
	}
}

// removals are what happens to a directory when one of its files, or itself, loses its name.
const removals = unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// openEvents begins to report removals of files to their resources. It does so once. Instances are scarce (128 per
// user on many systems) and dear to close, so a Backend has one, and only from when something was in use for a moment;
// without one, resources look by themselves now and then.
func (w *watcher) openEvents() {
	if w.tried || w.closing || w.blind.Load() {
		return
	}
	w.tried = true
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return
	}
	e := &fileEvents{os.NewFile(uintptr(fd), "inotify")}
	if _, err := unix.InotifyAddWatch(fd, w.b.dir.Path, removals); err != nil || w.b.dir.Intact() != nil {
		e.close()
		return
	}
	for above := filepath.Dir(w.b.dir.Path); above != "/"; above = filepath.Dir(above) { // our path may come to lead elsewhere
		_, _ = unix.InotifyAddWatch(fd, above, unix.IN_MOVE_SELF|unix.IN_ONLYDIR|unix.IN_MASK_ADD) // fails where we may not look
	}
	w.events = e
	w.watchInboxes()
	w.tasks++
	w.actor.Go(func() news { w.readEvents(e.file); return news{verb: taskEnded} })
	w.reporting.Store(true)
	w.b.tellAll(message{verb: verify}) // for what happened before
}

// watchInboxes has removals of inboxes reported. The watch ends when the directory of inboxes is
// removed, so it is set again for a new one.
func (w *watcher) watchInboxes() {
	if w.events == nil {
		return
	}
	w.onEvents(func(fd int) {
		_, _ = unix.InotifyAddWatch(fd, w.b.dir.Path+"/"+lockdir.ClientsName, unix.IN_DELETE|unix.IN_MOVED_FROM|unix.IN_MOVED_TO|unix.IN_ONLYDIR)
	})
}

// watchLock has the end of each use of the resource's lock file reported to it.
func (w *watcher) watchLock(r *resource) {
	w.openEvents()
	if w.events == nil || w.closing {
		return
	}
	if wd, err := w.addLock(r); err == nil { // else the net catches it
		w.locks[wd] = r
	}
	r.actor.Tell(message{verb: look}) // for what happened before
}

func (w *watcher) forgetLock(r *resource) {
	for wd, o := range w.locks {
		if o == r {
			delete(w.locks, wd)
			w.onEvents(func(fd int) { _, _ = unix.InotifyRmWatch(fd, uint32(wd)) }) // fails if the file was removed
		}
	}
}

func (w *watcher) addLock(r *resource) (wd int32, err error) {
	w.onEvents(func(fd int) {
		var n int
		n, err = unix.InotifyAddWatch(fd, w.b.dir.Path+"/"+r.stem+lockdir.LockEnding, unix.IN_CLOSE)
		wd = int32(n)
	})
	return wd, err
}

// onEvents runs do with the instance's descriptor, which stays open meanwhile.
func (w *watcher) onEvents(do func(fd int)) {
	if raw, err := w.events.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { do(int(fd)) })
	}
}

// readEvents passes events on until the instance is closed.
func (w *watcher) readEvents(f *os.File) {
	buf := make([]byte, 1<<14)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			length := binary.NativeEndian.Uint32(b[12:])
			name := b[unix.SizeofInotifyEvent:][:length]
			name, _, _ = bytes.Cut(name, []byte{0})
			w.actor.Tell(news{
				verb: fileEvent, name: string(name),
				watch: int32(binary.NativeEndian.Uint32(b)), mask: binary.NativeEndian.Uint32(b[4:]),
			})
			b = b[unix.SizeofInotifyEvent+length:]
		}
	}
}

func (w *watcher) event(watch int32, mask uint32, name string) {
	if r := w.locks[watch]; r != nil {
		if mask&unix.IN_IGNORED != 0 {
			delete(w.locks, watch) // the file was removed, which the directory's watch reports as well
		}
		r.actor.Tell(message{verb: look})
		return
	}
	stem, ok := strings.CutSuffix(name, lockdir.LockEnding)
	if !ok {
		stem, ok = strings.CutSuffix(name, lockdir.TableEnding)
	}
	switch {
	case ok:
		if r, live := w.b.resources.Load(stem); live {
			r.(*resource).actor.Tell(message{verb: verify})
		}
	case name == "" && mask == unix.IN_IGNORED: // a watch of ours was taken down
	case name == "", name == lockdir.ClientsName, name == lockdir.InboxName(w.b.id): // the directory itself or one above it, or more events than the kernel keeps
		w.b.tellAll(message{verb: verify})
	}
}
