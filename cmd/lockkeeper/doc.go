// Lockkeeper runs commands under locks that every process of a machine, or of many machines, can see.
//
//	lockkeeper run nightly-backup -- pg_dump -f /backup/db.sql
//	lockkeeper run --wait 30s --store redis://db1:6379 deploy -- ./deploy.sh
//	lockkeeper run --no-wait --store file:/run/locks report -- ./report.sh
//	lockkeeper run -n -q -E 0 mirror -c 'rsync -a src/ dst/ && touch dst/.done'
//	lockkeeper run --hold maintenance
//	lockkeeper ls
//	lockkeeper show nightly-backup
//	lockkeeper top
//	lockkeeper serve
//	lockkeeper break nightly-backup
//	lockkeeper doctor --store file:/run/locks --repair
//	lockkeeper demo
//	lockkeeper version
//	lockkeeper completion bash
//	lockkeeper man
//
// # run [flags] NAME -- COMMAND [ARGUMENT …]
//
// It waits for its turn in the queue for NAME, runs the command once while it holds the lock, and exits as the command
// did. The lock is released when the command ends; what the command has left running in the
// background then runs without it.
//
// The command finds in its environment LOCK_NAME, and LOCK_TOKEN, its fencing token: a decimal number that is larger for
// every later holder of the name. A resource that refuses writes with a smaller token than it has seen is safe
// even from a command that was paused for so long that its lock went to another one.
//
// The command is started as a shell starts it: it is searched in PATH (/bin:/usr/bin if there is
// none), and an executable file that the kernel does not know is a script for /bin/sh. A command that
// is not there or may not be executed is refused before the wait.
//
// If the lease is lost while the command runs (the Redis server was cut off for too long, the lock file
// was removed) the command and all that it started get SIGTERM, and SIGKILL when the grace period is
// over or the command has ended. The same ends with SIGKILL at once if lockkeeper is killed; the lock
// is released afterwards. On Linux nobody escapes. Elsewhere a process whose parent has ended may.
//
// A process that has become another user, as sudo does, cannot be signalled. A message says so, and
// lockkeeper ends when that process has ended.
//
// HUP, INT, QUIT, TERM, USR1 and USR2 are passed on to the command and to all that it started. The
// first four are followed by CONT. INT and QUIT are not passed on in the foreground of a terminal, which
// sends them to all of its job. While lockkeeper waits for its turn, any of them ends the wait. Signals
// that were ignored when lockkeeper was started stay ignored, for the command too. (A build without cgo
// knows only of HUP and INT.)
//
// In a shell, fg, bg and ^Z work as with the bare command. A job that is stopped keeps its lock, on
// Redis too, and a job that is stopped while it waits starts nothing before it goes on.
//
// With --kill-after, SIGKILL goes to the command and to all that it started when it has not ended
// so long after a HUP, INT, QUIT or TERM, whether lockkeeper or a terminal has sent it on.
//
// # run: flags as in flock(1)
//
//	-n, --no-wait        do not wait                  -s, --read      share the lock with other readers
//	-w, --wait DURATION  wait no longer; 90 is 90s    -x, --write     hold it alone; so it is without both
//	-E, --busy-code CODE exit status in place of 75   -c TEXT         run TEXT by $SHELL -c, or by /bin/sh
//	-v, --verbose        say what happens             -q, --quiet     say nothing of a busy lock
//
// A line of cron that is to skip a turn in silence has -n -q -E 0.
//
// The -- may be left out if no argument of the command is a --. In run a b -- true it is not clear
// whether b is a second name or a command, so that is refused.
//
// Runs with -s, with -x and with neither exclude each other as with flock(1). With -s or -x the name
// is a reader-writer lock while it is in use; without, it is a lock. A run that finds it in use as
// the other waits in that queue. So -s does not share a name that is in use as a lock: give -x to the
// commands that exclude readers, and readers always share. In a program, Manager.Lock is the name
// without a flag, and Manager.RWLock is -s and -x. A semaphore (--capacity) mixes with neither.
//
// With --at-least, the lock stays taken until that long after it was acquired, even if the command
// has ended, or lockkeeper was killed. So a line of cron on many hosts, each with
//
//   - * * * * lockkeeper run -n -q -E 0 --at-least 30s --store redis://db1 report -- ./report.sh
//
// runs the report once a minute: clocks may differ by half a minute. ls says until when a lock is
// kept, and break frees it. A cancelled wait and a busy try keep nothing.
//
// # run --hold [flags] NAME
//
// It runs no command. When the lock is held it writes a line to standard output, "held TOKEN NAME",
// and holds the lock until HUP, INT, QUIT or TERM; then the exit status is 0. It is 76 if the lease is
// lost before. A NAME that is not plain is quoted as in Go. In a service of systemd with Type=notify,
// the service is ready when the lock is held.
//
// # run: several names
//
// With --also NAME, run holds NAME too: it waits for all names at once, holds all or none, and two runs
// never wait for each other, in whatever order they name them. --also-read, --also-write and
// --also-capacity N:NAME do the same for a reader, a writer and one permit of a semaphore. All
// after the flag is the name, whatever characters it has. In the environment of the command,
// LOCK_NAME and LOCK_TOKEN are the first name and its token; LOCK_NAME_2 and LOCK_TOKEN_2 are the
// first --also of the command line, and so on. run --hold writes a line for each, in this order.
//
// # run within run
//
// A command that runs lockkeeper for a name that is held for it already would wait for itself. Such
// an inner run is refused with status 64. With --reentrant it runs its command without acquiring the
// name, under the token of the outer run. That is safe while the outer run lasts, but not for what
// its command leaves in the background. The inner run acquires the names that the outer run does not
// hold, but no more of the same name: a reader does not become the writer. Its --at-least is for the
// names that it acquires.
//
// The outer run says in LOCKKEEPER_HELD what it holds. The inner run asks the store whether that
// process still holds the name under that token, so a variable that outlives its run does no harm.
// Where the environment is cleared, as by sudo or ssh, the inner run waits for itself.
//
// # run: who is shown
//
// People who ask who holds the lock are shown the label (--label), or else the name of the command
// without its arguments, which may be secret. In the foreground of a terminal, a wait of more than a
// second says once whom it waits for.
//
// Lockkeeper is two processes: the one that was started, and lockkeeper-holder, which ls shows as
// the holder. If one is killed, the other ends the command. If the holder alone is stopped (SIGSTOP)
// nothing can end the command in time: only its token protects.
//
// # Stores
//
// The flag --store, or LOCKKEEPER_STORE in the environment, says where locks are kept:
//
//	/DIR, ./DIR or file:DIR                 for the processes of one machine
//	redis://[user:password@]host:port[/db]  for those of many machines; rediss:// with TLS
//	redis+sentinel://, redis+cluster://     the same, for a Sentinel group and for a cluster
//	NAME                                    what a configuration file says of the name
//	(nothing)                               the default store: file:DIR, where DIR is
//	                                          /var/lib/lockkeeper        for root
//	                                          ~/.local/state/lockkeeper  for everyone else
//
// The configuration of the user is lockkeeper/config.json in $XDG_CONFIG_HOME or ~/.config, that of
// the machine is /etc/lockkeeper/config.json. The user's is looked at first:
//
//	{"stores": {"jobs": "file:/srv/jobs/locks", "db": "rediss://:secret@db1:6379"}}
//
// A file that another user could write is refused. A file that holds a password should be readable
// only by its users. The default store cannot be set there, since a terminal and cron may find
// different files.
//
// All that a URL can say: go doc github.com/lockkeeper/lockkeeper/open.
//
// The default store is one directory for each user, the same for a terminal, cron, a unit of
// systemd and sudo. ~ is the home directory that the user database (passwd) names for the effective
// user; no environment variable changes it. Different users have different default stores.
//
// A default store that cannot be used is refused, and never replaced by another. Name a store if a
// unit hides the home directory (ProtectHome=) or makes it read-only (ProtectSystem=strict), if it
// is on a network, and for a user without a home directory. On Windows, DIR is lockkeeper in
// %LocalAppData%.
//
// A password belongs in LOCKKEEPER_STORE, since everyone can read the arguments of a process; it is
// never printed.
//
// # Exit status
//
//	0–125  that of the command, whatever it is
//	126    the command was found but cannot be executed; 127: it was not found. It was not started.
//	128+n  the command was ended by signal n, or lockkeeper was while it waited; after ^C in a terminal
//	       lockkeeper ends by SIGINT itself, which a shell shows as 130
//	64     bad usage: flags, name, store; or the name is in use as another kind of lock
//	69     the store cannot be reached or does not work, or has not answered --no-wait for ten seconds;
//	       or serve cannot listen
//	70     lockkeeper itself failed: a bug
//	74     standard output takes no more (all but run)
//	75     the lock was busy (--no-wait) or the wait was over (--wait). The command was not started.
//	76     the lease was lost before the command had ended, or the holder was killed
//	77     the store refused: permission denied
//
// A message on standard error goes with each of 64 to 77 that is lockkeeper's own.
//
// # ls [flags] [NAME …]
//
// It lists the names in use, or those given: who holds them since when and under which token, and
// who waits, in the order of the queue. The answer may be out of date at once. It needs no right to
// write, takes no lock, and makes no store: a store that does not exist has no holders and no
// waiters. On Linux, a lock that another program holds by flock(1) is listed as busy. Names that
// cannot be read are reported after the others. With --json it writes one object for programs: the
// store, the time, and an object for each name with its holders and waiters; times are in RFC 3339,
// spans in seconds. A name that is not UTF-8 stands in name_base64 as well. If names could not be
// read, error says why.
//
// A process stands in the queue of a name once, however many of its goroutines wait: it asks the
// store for all of them, and the store does not know how many they are. The process does: see
// Manager.Stats and its debug page.
//
// # show [flags] NAME
//
// It tells everything that the store knows of one name: kind, capacity, the last token given out,
// each holder with its process, host, label, token, since when it holds and when its grant expires
// if it does not renew it, and each waiter in the order of the queue. Like ls it only reads. With
// --json it writes what ls --json writes for the name, with store and time. The exit status is 0
// if the name is held and 1 if nothing holds it; 64 and more mean that it could not be read.
//
// # top [flags] [NAME …]
//
// It lists the same every second (--every), with the time, totals and store above. Names come sorted
// by trouble: first the name whose first waiter has waited for longest, then the name that is held
// for longest. What a process has lost is not in the store: the process's own statistics tell.
//
// On a terminal it takes the alternate screen, fits the window and follows its size, shows three
// holders and three waiters of a name, and colours what waits (unless NO_COLOR is set). Where it is
// narrow, it leaves out the columns TOKEN, KIND and PERMITS, and shortens names and labels, so that
// WHO is seen. q quits, as ^C does, and ^Z suspends; the terminal is then as before. A look that
// fails is shown, and the next may succeed. If TERM is dumb it writes as many lines as there is
// room for, one list below the other, and in a pipe all of them, until it is interrupted or a look
// fails.
//
// # serve [--listen HOST:PORT] [--allow-break]
//
// It shows the store, and all processes that use it, as a web page, and prints the page's address.
// The page lists what ls does, sorted by trouble as top does. It finds a name by a part of the name
// or of its holder, keeps itself up to date, and has a page for each name. Errors of the store are
// shown on the page. With ?format=json it answers in the form of ls --json, and with
// ?format=json&name=NAME in that of show --json. Like ls it only reads.
//
// The page listens on a free port of 127.0.0.1, or where --listen says; :PORT is every address of
// the machine. It asks for no password. It refuses requests for other hosts, so that no page of
// another site can reach it through the browser of an operator (DNS rebinding): on a loopback
// address it answers for localhost and its addresses only, elsewhere for every address and for the
// name of the machine. --host NAME allows another name, such as that of a proxy. To reach it from
// elsewhere, forward its port by ssh, or put a proxy with authentication before it.
//
// With --allow-break the page can break a name, as the command break does; it asks first. It refuses
// requests that come from pages of other sites. Everybody else who reaches the page can break every
// name.
//
// ^C or SIGTERM ends it. It finishes the answers that it has begun, for five seconds at most.
//
// # break [flags] NAME …
//
// It ends every grant of the names and lists them; the first waiters are next. Use it when a holder
// hangs. The holder is told that its lease is lost: a command of run gets SIGTERM and SIGKILL, and its
// run exits with status 76. A program that does not listen goes on, and only its fencing token
// protects from what it still writes. On a directory, a stopped process keeps its mutex or
// reader-writer lock until it goes on or is killed. A name that nobody holds is listed as free.
//
// # doctor [flags]
//
// It looks at the store and tells what it finds: what that means for locks, and how to mend it.
// With --repair it mends what it can in a directory, beside any use of it: modes, damaged tables,
// lines and inboxes of processes that have ended; and it removes the files of names that nobody has
// used for an hour (--idle), after which tokens go on increasing all the same. Of a server it looks
// at connection, rights, commands, clock, version, role, eviction, persistence and replicas, and
// changes nothing. A server that answers and cannot be used (a missing password, TLS on one side
// only, a Sentinel) is a finding. A server that does not answer is status 69. The exit status is 1
// if something is left that is more than a note.
//
// # completion SHELL, man
//
// They print the script by which bash, zsh or fish completes a command line (completion --help says
// where it belongs), and this page.
//
// # demo [flags]
//
// Four processes of sixteen goroutines contend for a few names; one process is killed half-way and replaced. At the end the
// recorded history is checked: every counter exact, no two holders at a time, tokens increasing. The exit status is
// 1 if anything was violated.
package main
