// How long a thread means to run at a time. Where there are more threads than cores, JavaScript wakes on a core that a kernel
// holds, and Linux (since 6.12) lets whoever asked for the shorter slice go first. With 10 ms for the kernels' threads the
// event loop's p99 while a CNN trains is 0.3 to 0.9 ms lower (5.0, 5.1, 6.1 against 4.2, 4.8, 5.3 in three interleaved runs of
// `npm run bench -- --only eventloop`, three threads on two cores, 2026-11-25); 20 ms does no better. A lower priority did as
// well (nice 3), but loses cores to every other process; SCHED_BATCH changed nothing.
#pragma once

#include <cstdint>

#if defined(__linux__)
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace anneal {

// For the calling thread. A hint: a kernel that does not know it goes on as before.
inline void takeLongSlices() {
#if defined(__linux__) && defined(SYS_sched_setattr)
  // struct sched_attr, <linux/sched/types.h>, as of its first version; its header clashes with <sched.h>.
  struct {
    uint32_t size = 48, policy = SCHED_OTHER;
    uint64_t flags = 0;
    int32_t nice = 0;
    uint32_t priority = 0;
    uint64_t runtime = 10'000'000, deadline = 0, period = 0;  // nanoseconds
  } attributes;
  if (sched_getscheduler(0) != SCHED_OTHER) return;
  attributes.nice = getpriority(PRIO_PROCESS, 0);
  syscall(SYS_sched_setattr, 0, &attributes, 0);
#endif
}

}  // namespace anneal
