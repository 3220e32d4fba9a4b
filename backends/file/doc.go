// Package file keeps locks in a directory: they exclude the processes of one machine from each other. No server is needed.
//
// A waiting process sleeps until it is woken; the queue is strictly first come, first served over all processes; when a
// process dies, however it dies, the kernel frees what it held and the next one is told at once; every grant
// has a fencing token that is on file before the grant is given out; and whoever locks the same files with flock(1)
// excludes us and is excluded.
//
//	b, err := file.New("/var/lib/backup/locks")
//	…
//	m, err := manager.New(b)
//
// # The directory
//
// Each name has two files. Their stem is the name itself where that is safe, with %xx for all other bytes, and ends in
// a hash if it would be too long:
//
//	db.lock                       empty; the kernel's lock lies on it while a mutex or reader-writer lock is held
//	db.table                      who holds, who waits, the last token: text, for cat as well
//	.clients/0badcafe0badcafe     a FIFO for each process (Windows: a locked file): it says who lives, and takes messages
//	.floor                        above this number the tokens of new names begin; only after a repair
//
// The directory and the files belong to one user: modes 0700 and 0600, whatever the umask. A
// directory that others may write to is refused, sticky or not, for they could put their own files
// in place of ours; so is one that belongs to another user than this one or root. No link is
// followed, and only regular files with one name are used: anything else in their place, a file
// with hard links too, is [backends.ErrPermission]. So users do not share a directory: every
// process of another user than its owner is refused, the superuser's too. Files of names out of use
// stay; they are small, and the table keeps the tokens increasing. [Repair] removes them, beside
// any use of the directory; by hand they may be removed while nobody uses it, and tokens then go on
// from the clock. A table may name a holder for a tenth of a second longer than it holds, see
// below; Inspect knows better, and so does "flock -n db.lock true".
//
// The functions [Inspect] and [List] return holders and waiters to any process that may read the
// files. They write nothing.
//
// Choose a directory that lasts as long as the processes that use it. /run/user/UID is removed at
// the last logout, a unit of systemd may have a /tmp of its own (PrivateTmp=), and cleaners remove
// old files from /tmp and /var/tmp. Clients notice when files in use are removed, as described
// below; files out of use may be removed.
//
// # What is guaranteed, and what it rests on
//
//   - Exclusion of mutexes and reader-writer locks rests on the kernel: flock(2), exclusive or shared, on db.lock. It
//     holds whatever happens to the table. Semaphores rest on the table.
//   - A grant lasts until its release, or the end of its process. There is no expiry: a process that was stopped
//     (SIGSTOP) holds on, and as the first in the queue keeps others waiting.
//   - A process that was stopped in the few microseconds in which it changes a table keeps everybody else from that
//     table until it goes on or dies. Calls end with their contexts all the same.
//   - A holder whose lock file is removed or replaced is told ([backends.BackendLost]) by a file event, at once if it has held for
//     longer than a tenth of a second, else when that time has passed. Nobody else is granted before, as the table says on
//     which file the lock is; unless the table was removed too, or the whole directory. A semaphore's
//     holder is told so if the table is removed; the next grant may come first.
//   - Where the directory, or one above it, is moved or removed, whoever comes next makes a new one and is granted there at once. In the
//     old one nobody goes on: holders are told as above, waiters are refused within a second, and so is each later
//     request ([backends.ErrUnavailable]), until the path leads there again. A path that comes to lead elsewhere by a link or a
//     mount is not told of by file events: who holds for longer than a tenth of a second does not notice.
//   - Tokens are written before the grant is given out. They survive the end of all processes; a crash of the machine as
//     far as its clock is right, or in any case with [WithSync]; and damage to the table: they go on from
//     the larger of what can be read there and the clock in microseconds.
//   - A process whose inbox (the FIFO) is removed makes a new one: at once if it has held or waited
//     for longer than a tenth of a second, else at its next request for permits. Until then others
//     take it for dead. It keeps its mutexes and reader-writer locks; its waiters lose their places
//     ([backends.Requeued]); it loses permits that another process takes meanwhile, and their
//     holder is told. Without an inbox no permit is granted.
//   - A damaged table is replaced. Live processes put their lines back: waiters at the end of the queue
//     ([backends.Requeued]). For a semaphore there is a moment in which others may be granted first; holders who then do
//     not fit any more are told that they have lost.
//   - [Backend.Break] ends grants of other processes by telling them. One that was stopped keeps the kernel's lock.
//   - Children do not inherit a lock, as all files are closed on exec. A fork without exec is not supported: the child
//     would keep the locks.
//
// The files of a name stay open for a tenth of a second after its last use, for up to 64 names.
// They are closed earlier when the process has no descriptor left. Names that are held or waited
// for keep two descriptors each. A request that gets no descriptor fails with
// [backends.ErrUnavailable].
//
// The directory must be on a local file system. NFS, SMB, 9p, FUSE and cluster file systems are refused unless
// [WithAnyFileSystem] is given, for their locks may hold on this machine only.
//
// # Systems
//
// Everything above is so on Linux. The others have less to wake a process by, so it looks by itself ten times a second while
// it holds or waits, and all that takes longer to be noticed is:
//
//	                                   macOS, BSDs       Windows
//	a release, a new waiter, Break     at once           at once
//	the end of another process         at once           a tenth of a second
//	other programs' use of the file    a tenth           a tenth
//	a lock file removed or replaced    a tenth           cannot happen while it is open
//	the kernel's lock                  flock(2)          LockFileEx on the first byte, as gofrs/flock
//	who may use the directory          its mode          its access list, which is not looked at
//	network file systems are refused   no                yes
//	[Repair] removes names out of use  semaphores' only  is not supported
//
// On all but Linux this rests on the tests of Linux with events, watches and messages switched off, on cross-compiling, and for
// Windows on a part of the tests under Wine. On any other system [New] fails with [backends.ErrUnsupported].
//
// # States of a request
//
//	           TryAcquire, does not fit
//	┌───────┐ ──────────────────────────────▶ ErrBusy
//	│ fresh │
//	└───────┘ ──▶ ┌─────────┐ first, fits, ┌─────────┐ release
//	              │ waiting │ ───────────▶ │ granted │ ──────────▶ over
//	              └─────────┘ kernel lock  └─────────┘ loss
//	                   │      table written
//	                   ▼ ctx ends, Close
//	                  over
//
// # Design notes
//
// Two files and not one. The table must change while the lock is held, so it needs a short lock of its own. And people write
// "exec 9>db.lock; flock 9", which empties the file.
//
// The table under a short lock, and not tickets that are files. One read and one write of a page take a microsecond each;
// creating and removing a file takes ten times that, and finding the first of a queue means listing a directory. A
// table in shared memory would save the system calls, but a truncated file then kills the process that reads it.
//
// The grantee takes its grant by itself. A releaser cannot take the kernel's lock for another process. So it
// takes its line out and wakes the first in the queue, which locks, writes its own token and goes. A wake-up is a hint; the
// table is the truth. Whoever is woken looks, and whoever dies before it has passed a wake-up on is noticed by the
// process behind it.
//
// Each waiter watches one other. The first in the queue watches all holders, everyone else the one before it, as in the lock
// recipe of ZooKeeper; so a death wakes one process and not all.
//
// FIFOs and not file events for messages and deaths. Opening a FIFO for writing fails if nobody reads it, so it tells who is
// alive; a process that keeps it open for writing gets an event from the kernel when the last reader has gone, and
// the runtime's poller waits for that without a thread. Messages have a text, the name to look at, and
// need no cleaning up. inotify reports a closed file just before its locks are freed, and there are only 128 instances
// per user on many systems, while hundreds of commands may start at once. One is opened only by a process
// that has held or waited for a tenth of a second, for what nothing else can tell: removed files and uses of a lock file by
// others. (Closing one takes milliseconds, which a short command should not pay.) Without one, a look every second
// stands in.
//
// No thread waits in the kernel for a lock, but for that of a table that another process is changing: a blocked flock(2) cannot be
// cancelled, and each would cost a thread.
//
// A sole holder lets go without touching the table. If nobody waits, a release is one unlock and one read; the line that stays is
// known to mean nothing because the kernel's lock on the file that it names is free. It is the difference between 1.8 and 1.3
// times the price of gofrs/flock, which writes nothing. See resource.letGo for why nobody is left waiting.
//
// The turns of the actors make system calls. They are on two small local files and take a microsecond each; handing them to tasks
// would cost more than they do. The one that can take long is tried in the turn and waited for in a task. For the same reason
// [Backend.TryAcquireNow] and [Backend.ReleaseNow] may be called in the turn of a manager's keeper: they give up where they would have to
// open a file, to wait for a table or for a turn, and on stores where a call may take as long as a disk or a server. If the
// kernel makes them wait all the same, only callers of this name wait, and they can be cancelled.
//
// Removing a name's files raises a floor for the whole directory first, and empties the table before it goes: see
// directory.removeName. One floor is enough, for tokens are about the clock in microseconds anyway, and a file for each name
// would be what was to be removed. It is done by [Repair] and not by itself, since flock(1) does not look whether
// the file that it has locked still has its name.
//
// gofrs/flock was meant to take the kernel's lock. It opens the file each time, does not check which file it has locked, reports an
// interrupted call as an error and converts a shared lock into an exclusive one; see sys_unix.go.
package file
