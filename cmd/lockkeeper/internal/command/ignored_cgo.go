//go:build unix && cgo

package command

/*
#include <signal.h>

// The signals that were ignored when this program was started. The constructor runs before the Go
// runtime, which installs handlers of its own and tells of two signals only.
static unsigned char ignored_at_start[65];

__attribute__((constructor)) static void note_ignored(void) {
	struct sigaction was;
	for (int sig = 1; sig < 65; sig++)
		ignored_at_start[sig] = sigaction(sig, 0, &was) == 0 && was.sa_handler == SIG_IGN;
}

static int was_ignored(int sig) { return sig > 0 && sig < 65 && ignored_at_start[sig]; }
*/
import "C"

import "syscall"

// KnowsIgnored says that this build knows every signal that was ignored when the program was started.
const KnowsIgnored = true

func wasIgnored(s syscall.Signal) bool { return C.was_ignored(C.int(s)) != 0 }
