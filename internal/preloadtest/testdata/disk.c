// A disk that a test can fill: preloaded into a process, it refuses each write that would make a regular file longer while the
// number in the file that the environment variable TEST_DISK names is not 0. That file stays mapped, so a change is
// seen at once.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile int64_t *full;

__attribute__((constructor)) static void map(void) {
	const char *file = getenv("TEST_DISK");
	int fd = file ? open(file, O_RDONLY) : -1;
	if (fd < 0)
		abort();
	void *p = mmap(0, sizeof *full, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	close(fd);
	full = p;
}

// refused says that there is no room for what would end at this place; at -1 the place of fd counts.
static int refused(int fd, off_t at, size_t n) {
	struct stat s;
	if (!full || !*full || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
		return 0;
	if (at < 0 && (at = lseek(fd, 0, SEEK_CUR)) < 0)
		return 0;
	if (at + (off_t)n <= s.st_size)
		return 0;
	errno = ENOSPC;
	return 1;
}

static size_t sum(const struct iovec *v, int n) {
	size_t all = 0;
	for (int i = 0; i < n; i++)
		all += v[i].iov_len;
	return all;
}

ssize_t write(int fd, const void *p, size_t n) { return refused(fd, -1, n) ? -1 : syscall(SYS_write, fd, p, n); }

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at) {
	return refused(fd, at, n) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at) { return pwrite64(fd, p, n, at); }

ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at) {
	return refused(fd, at, sum(v, n)) ? -1 : syscall(SYS_pwritev, fd, v, n, at, 0L);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) { return pwritev64(fd, v, n, at); }

int posix_fallocate64(int fd, off_t at, off_t n) {
	if (refused(fd, at, n))
		return ENOSPC;
	return syscall(SYS_fallocate, fd, 0, at, n) ? errno : 0;
}

int posix_fallocate(int fd, off_t at, off_t n) { return posix_fallocate64(fd, at, n); }
