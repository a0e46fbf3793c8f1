/* A clock that can be set, for the processes that load this before all else (LD_PRELOAD): the real one, and so many
   seconds as the file CLOCK_AHEAD says (a double, in the machine's own form). The monotonic clock is left alone.

   libfaketime does the same and more; its 0.9.10 breaks clock_nanosleep(), by which Python sleeps, and takes a lock for
   every look at the clock, which a fork may leave held. Here nothing is locked: the file is mapped into memory. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile double *ahead;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_sem_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
    const char *path = getenv("CLOCK_AHEAD");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof(double), PROT_READ, MAP_SHARED, file, 0);
    ahead = mapped == MAP_FAILED ? NULL : mapped;
    close(file);
}

static void move(struct timespec *time, double seconds) {
    long long nanoseconds = time->tv_sec * 1000000000LL + time->tv_nsec + (long long)(seconds * 1e9);
    time->tv_sec = nanoseconds / 1000000000LL;
    time->tv_nsec = nanoseconds % 1000000000LL;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!real_clock_gettime)
        real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real_clock_gettime(clock, now);
    if (!failed && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        move(now, *ahead);
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *also) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (also)
        *also = precise.tv_sec;
    return precise.tv_sec;
}

/* Its end is a time by this clock, of which the kernel knows nothing. */
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict end) {
    struct timespec real = *end;
    if (ahead)
        move(&real, -*ahead);
    return real_sem_timedwait(semaphore, &real);
}
