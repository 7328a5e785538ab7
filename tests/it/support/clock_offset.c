/* Preloaded into a redis-server, whose wall clock is then off by TEST_CLOCK_OFFSET_S seconds. The monotonic clock is not touched. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, clock, now);
  const char *offset = getenv("TEST_CLOCK_OFFSET_S");
  if (result == 0 && clock == CLOCK_REALTIME && offset) now->tv_sec += atol(offset);
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}
