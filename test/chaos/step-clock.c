/* A wall clock that a test sets, for the processes that this is preloaded into: what the machine says, and the
   nanoseconds in the file that KT_STEP_CLOCK names. The exchange and ClickHouse are other machines and keep their
   time; clocks that nobody sets (CLOCK_MONOTONIC) are left as they are. Who waits until a time means it by the
   clock that was set, and the machine by its own.
   ClickHouse has to keep its time: its library asks the kernel for the time and the C library to wait, so that with
   a clock ahead no wait of its threads would last, and they would take all there is of the machine. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000;
static const char *const OTHERS[] = {"part/sim.ts", "chdb-front.ts"};
static const volatile int64_t *offset;

__attribute__((constructor)) static void begin(void) {
  char line[4096] = {0};
  const char *path = getenv("KT_STEP_CLOCK");
  int file = open("/proc/self/cmdline", O_RDONLY);
  ssize_t length = file < 0 ? 0 : read(file, line, sizeof line - 1);
  close(file);
  if (path == NULL || length <= 0) return;
  for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
    if (memmem(line, length, OTHERS[i], strlen(OTHERS[i])) != NULL) return;
  file = open(path, O_RDONLY);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) offset = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(clock, at);
  if (failed != 0 || offset == NULL || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return failed;
  int64_t nanos = at->tv_sec * SECOND + at->tv_nsec + *offset;
  at->tv_sec = nanos / SECOND;
  at->tv_nsec = nanos % SECOND;
  return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at != NULL) *at = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec *at, int base) {
  return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, at) == 0 ? base : 0;
}

/* Seconds since the machine began are no date. */
static struct timespec meant(const struct timespec *until) {
  if (offset == NULL || until->tv_sec < SECOND) return *until;
  int64_t nanos = until->tv_sec * SECOND + until->tv_nsec - *offset;
  return (struct timespec){nanos / SECOND, nanos % SECOND};
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  /* There are two of that name; a condition is of the newer kind. */
  if (real == NULL) real = (__typeof__(real))dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (real == NULL) real = (__typeof__(real))dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  struct timespec at = meant(until);
  return real(cond, mutex, &at);
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict until) {
  static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
  if (real == NULL) real = (__typeof__(real))dlsym(RTLD_NEXT, "cnd_timedwait");
  struct timespec at = meant(until);
  return real(cond, mutex, &at);
}
