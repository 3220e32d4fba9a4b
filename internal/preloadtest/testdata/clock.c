// A wall clock that a test can set: preloaded into a process, it adds to the system's time the microseconds in the
// file that the environment variable TEST_CLOCK names. The file stays mapped, so a change is seen at once. The time comes
// from the system call, for anything else may allocate memory, and an allocator may ask for the time.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *off;

__attribute__((constructor)) static void map(void) {
	const char *file = getenv("TEST_CLOCK");
	int fd = file ? open(file, O_RDONLY) : -1;
	if (fd < 0)
		abort();
	void *p = mmap(0, sizeof *off, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	close(fd);
	off = p;
}

int clock_gettime(clockid_t id, struct timespec *t) {
	long r = syscall(SYS_clock_gettime, id, t);
	if (r == 0 && off && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
		int64_t ns = t->tv_nsec + *off % 1000000 * 1000;
		t->tv_sec += *off / 1000000 + (ns >= 1000000000) - (ns < 0);
		t->tv_nsec = (ns + 1000000000) % 1000000000;
	}
	return (int)r;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
	struct timespec now;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	t->tv_sec = now.tv_sec;
	t->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *t) {
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}
