// Package command runs one command for as long as a lease is held, and ends it when the lease is lost.
//
// # Processes
//
//	front    what the user starts: it passes signals on, writes messages, and exits as the holder does
//	holder   this program again, started by the front: it holds the lease and runs the user's program
//	command  the user's own, a child of the holder
//
// The front belongs to the shell's job. The holder has a process group of its own, so no terminal
// stops it: while the job is stopped it renews the lease, and it releases the lease when the command
// ends. Then it continues a front that is stopped. When the command has started, the holder leaves
// the terminal's session: so the kernel hangs up a stopped job whose shell has died, and ^Z does not
// stop a job that no shell can continue.
//
// Each start of this program costs some milliseconds. So the front reads no arguments, both use one
// processor, which spares threads, and packages make at their first use what not every run needs.
//
// The command needs no copying: standard streams are passed as descriptors, a closed pipe is the
// command's own affair, and its exit status comes back. Signals that were ignored stay ignored.
//
// # Process groups and terminals
//
// With a controlling terminal the command joins the process group of the front. The terminal signals
// the job as a whole, so fg, bg, ^Z and ^C work as with the bare command, in a script and in a
// pipeline too. What the terminal sends on ^C and ^\ is not passed on: the command has got it. When ^C
// has ended the command, the front ends by SIGINT as well, so that a loop of the shell ends.
//
// Without a terminal (cron, a service) the command leads a process group of its own.
//
// # Death
//
// A command must not run on without its lock, whoever dies.
//
//   - The front dies: the pipe from it to the holder ends. The holder kills the command and all that
//     it has started, and then releases the lease.
//   - The holder dies: the front learns it as its parent. The kernel kills the command, and the front
//     kills the rest. A front that is stopped is continued by the kernel for that.
//   - The lease is lost: the holder ends the command and all that it has started.
//
// On Linux, what the command leaves behind becomes a child of the holder (PR_SET_CHILD_SUBREAPER), or
// after that of the front, so no process escapes, be it in a session of its own. The kernel continues
// a stopped holder when its front dies. On other systems, a process whose parent has ended escapes,
// unless it is in the command's own group; and a stopped process must go on first.
//
// A process that has become another user (sudo) cannot be signalled. That is said, and the holder waits
// until it has ended: after the front's death it holds the lock for so long. If the front and the
// holder are killed at once, only the command itself is. There the fencing token protects.
//
// # Design notes
//
// One goroutine of the holder starts the command, sends signals and collects statuses. A signal to a
// process is safe only while nobody has collected its status, since the number may then be given to
// another process; with one goroutine that is plain to see.
//
// Rejected: giving the command a group and the terminal (tcsetpgrp), as a shell does. In a script, ^C
// would end the command but not the script, and in a pipeline it would stop the other commands that
// read the terminal. Rejected: the lease in the front. A stopped job could not renew it, nor release
// it after the command's end, and a killed one would lose it before the command has ended.
package command
