// How a thread waits: it spins, offers its core to others, and at last sleeps until a word changes.
//
// Waking a thread costs the waker 7 us, and 35 where the core had gone idle (2-core AMD EPYC in a virtual machine,
// 2026-11-25), more than most ops of a small net take. So threads linger before they sleep. A lingering thread yields, so
// that it does not hold back one that has work where there are more threads than cores, as JavaScript, the queue and its
// helpers are on two.
//
// Sleeping is the futex itself where there is one: the notify of std::atomic makes a system call whenever any thread of the
// process sleeps in the same bucket of a table, so that a pool whose helpers slept made every push of the queue one.
//
// Nobody needs to be woken who does not sleep: a sleeper announces itself in a second word and looks once more before it
// sleeps, and a waker reads that word after it has written. Between its two steps each needs a full fence, so that one sees the
// other. Wakers come by with every op and sleepers seldom, so where the system can make all threads of the process pass a fence
// (membarrier on Linux) the sleeper asks for that, and the waker's fence costs nothing: a real one waits until the record
// just written has left the other core's cache, 0.2 us.
#pragma once

#include <atomic>
#include <climits>
#include <cstdint>
#include <thread>

#include "spin.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace anneal {

// Sleeps while `word` holds `value`; may return early.
inline void sleepOn(std::atomic<uint32_t>& word, uint32_t value) {
#if defined(__linux__)
  static_assert(sizeof word == 4 && std::atomic<uint32_t>::is_always_lock_free, "a futex is a plain 32-bit word");
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
  word.wait(value, std::memory_order_seq_cst);
#endif
}

inline bool canFenceAll() {
#if defined(__linux__) && defined(SYS_membarrier)
  constexpr int kRegister = 1 << 4, kExpedited = 1 << 3;  // MEMBARRIER_CMD_(REGISTER_)PRIVATE_EXPEDITED, <linux/membarrier.h>
  static const bool can = syscall(SYS_membarrier, kRegister, 0, 0) == 0 && syscall(SYS_membarrier, kExpedited, 0, 0) == 0;
  return can;
#else
  return false;
#endif
}

// The waker's, between writing what the sleeper waits for and reading whether it sleeps.
inline void wakerFence(bool fenceAll) {
  if (fenceAll) std::atomic_signal_fence(std::memory_order_seq_cst);
  else std::atomic_thread_fence(std::memory_order_seq_cst);
}

// The sleeper's, between saying that it sleeps and looking once more.
inline void sleeperFence(bool fenceAll) {
#if defined(__linux__) && defined(SYS_membarrier)
  if (fenceAll) syscall(SYS_membarrier, 1 << 3, 0, 0);
#endif
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

inline void wakeAll(std::atomic<uint32_t>& word) {
#if defined(__linux__)
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
#else
  word.notify_all();
#endif
}

// Pauses, about 27 ns each on that machine, then yields, 0.3 to 2.5 us each.
struct Patience {
  int spins, yields;
};

// Looks whether done() between those. False: it is not.
template <class Done> inline bool linger(Patience patience, const Done& done) {
  for (int i = 0; i < patience.spins; ++i) {
    if (done()) return true;
    pause();
  }
  for (int i = 0; i < patience.yields; ++i) {
    if (done()) return true;
    std::this_thread::yield();
  }
  return done();
}

}  // namespace anneal
