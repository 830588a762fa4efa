/* Adds a millisecond to every sync to disk of the process that loads it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static void wait_longer(void) {
	struct timespec millisecond = {0, 1000000};
	nanosleep(&millisecond, 0);
}

int fsync(int fd) {
	int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
	wait_longer();
	return real(fd);
}

int fdatasync(int fd) {
	int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
	wait_longer();
	return real(fd);
}
