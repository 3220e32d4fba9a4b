// Package file keeps locks in a directory: they exclude the processes of one machine from each other.
// No server is needed.
//
//	b, err := file.New("/var/lib/backup/locks")
//	…
//	m, err := manager.New(b)
//
// A waiting process sleeps until it is woken. The queue is first come, first served over all
// processes. When a process dies, however it dies, the kernel frees what it held and the next one is
// granted at once. A program that locks the same files with flock(1) excludes us and is excluded.
//
// # The directory
//
// Each name has two files. Their stem is the name, with %xx for what is not safe in a file name:
//
//	db.lock                    empty; the kernel's lock lies on it while db is held
//	db.table                   who holds, who waits, the last token: text, for cat as well
//	.clients/0badcafe0badcafe  a FIFO for each process: it says who lives, and takes messages
//	.floor                     the tokens of new names begin above this number
//
// The directory and the files belong to one user, with modes 0700 and 0600. Anything else is
// [backends.ErrPermission]: a directory that others may write to, another owner than this user or
// root, links, files with hard links. So users do not share a directory.
//
// Choose a directory that lasts as long as the processes that use it: /run/user/UID is removed at the
// last logout, and cleaners remove old files from /tmp and /var/tmp. It must be on a local file
// system. NFS, SMB, 9p, FUSE and cluster file systems are refused unless [WithAnyFileSystem] is given.
//
// Files of names out of use stay, so that tokens increase. [Repair] removes them, also while the
// directory is in use. [Inspect] and [List] show holders and waiters to a process that may read the
// files, and write nothing. [Check] finds what is wrong with a directory.
//
// # What is guaranteed
//
//   - Exclusion of mutexes and reader-writer locks rests on the kernel's flock(2), whatever happens to
//     the table. Semaphores rest on the table.
//   - Permits that stay taken for a time ([backends.Request.AtLeast]) do so though their process
//     ends: the time stands in the table from the grant on, and the first waiter has a timer. It
//     counts on the clock of the machine's boot, suspended or not: setting the wall clock changes
//     nothing. After a reboot, and always on systems other than Linux, the wall clock counts: set
//     forward it ends the time too early, set back it prolongs it by the whole time at most. Another
//     program's flock(1) does not see it, for no process holds the lock file. It is lost with the
//     table.
//   - A grant lasts until its release or the end of its process. Nothing expires: a stopped process
//     (SIGSTOP) holds on. If it was stopped while it changed a table, requests for the name wait
//     until it goes on or dies. They still end with their contexts.
//   - A request for several names takes its places in all their queues in one step. A process killed
//     in between leaves places that hold up nothing.
//   - Tokens are on file before the grant is given out. They survive all processes, and damage to the
//     table; a crash of the machine as far as its clock is right, or in any case with [WithSync].
//   - A holder whose lock file is removed or replaced, or whose directory is moved, is told
//     ([backends.BackendLost]), at once if it has held for a tenth of a second. In a moved directory
//     waiters and requests are refused ([backends.ErrUnavailable]) until the path leads there again.
//     A path that leads elsewhere by a link or a mount is not noticed.
//   - A damaged table is replaced, and live processes put their lines back: waiters at the end of the
//     queue ([backends.Requeued]). Holders of permits that no longer fit are told that they have lost.
//   - A process whose inbox (the FIFO) is removed makes a new one. Until then others take it for dead:
//     its waiters lose their places, and it loses permits that are granted meanwhile.
//   - [Backend.Break] tells the holders that their grants have ended. A stopped process keeps the
//     kernel's lock; and until every process has heard, the name keeps its kind.
//   - Children do not inherit a lock: all files are closed on exec. A fork without exec is not
//     supported.
//
// A name that is held or waited for keeps two descriptors. A request that gets none fails with
// [backends.ErrUnavailable].
//
// # Systems
//
// All this holds on Linux. On other systems a process that holds or waits looks ten times a second for
// what nothing tells it:
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
// They are tested by Linux with events, watches and messages switched off, by cross-compiling, and
// Windows in part under Wine. Elsewhere [New] fails with [backends.ErrUnsupported].
//
// docs/internals/file.md says how it works, what each loss of files does, and what was rejected.
package file
