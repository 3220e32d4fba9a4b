// Package command runs one command for as long as a lease is held, and ends it when the lease is lost.
//
// The command is the direct child of this process. Everything it needs goes through untouched: standard streams are
// passed as descriptors, so nothing is copied, a closed pipe is the command's own affair, and its exit status comes back.
//
// # Process groups and terminals
//
// In the foreground of a terminal the command stays in the process group of the job, as a shell started it:
// the terminal sends ^C, ^\ and ^Z to all of the job, and so to the command, and they are not sent twice. When the lease is
// lost, only the command itself is signalled, for the job may hold others' processes: a script, a pipeline.
// Otherwise (cron, a service, a background job) the command gets a process group apart, led by its guard (below), and what it
// started is signalled together with it.
//
// # Death of this process
//
// A command must not run on without its lock, even if this process is killed with SIGKILL. Two things see to that:
//
//   - A guard, a shell that waits on a pipe from this process, kills the command and, where that has a process group apart,
//     all that it started, when the pipe ends without a word. Since it leads that group, it guards the command from its
//     beginning; in the foreground, where it must be told the command's number first, from a moment later.
//   - On Linux the kernel kills the command when the thread that started it ends, however it ends; so [Run] keeps its
//     goroutine on one thread until the command has ended. This is in force from the command's first instruction. The
//     kernel drops it for a command that changes its privileges.
//
// Both take a moment in which another holder may have begun; a process that leaves the group, as a daemon does, escapes;
// and both fail together with the machine. There the fencing token protects.
//
// # Design notes
//
// One goroutine does it all: it starts the command, sends signals and collects the status. A signal to a process is safe only
// while nobody has collected its status, since the number may then be given to another process; with one
// goroutine that is plain to see. It sleeps until SIGCHLD, another signal, the end of the lease or the end of the grace
// period, and asks wait4 without blocking.
//
// Giving the command the terminal (tcsetpgrp), as a shell does, was rejected: in a script, ^C would end the command but
// not the script, and in a pipeline it would stop the other commands that read the terminal.
package command
