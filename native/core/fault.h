// Failures on demand, for tests: the paths that run when memory is out or a kernel fails are otherwise never taken. Nothing
// is armed outside of tests, and asking costs one relaxed load where an allocation or an op costs far more.
#pragma once

#include <atomic>
#include <cstdint>

namespace anneal {

// Fails the events number `first`, counted from 1 and from arm() on, to `first + times - 1`. Any thread may ask.
class Fault {
 public:
  // first 0: none, as from the beginning.
  void arm(uint32_t first, uint32_t times) {
    times_.store(times, std::memory_order_relaxed);
    count_.store(first == 0 ? 0 : first + times, std::memory_order_seq_cst);
  }

  // Counts an event. True: it is to fail.
  bool hit() {
    uint64_t left = count_.load(std::memory_order_relaxed);
    while (left > 1) {
      if (count_.compare_exchange_weak(left, left - 1, std::memory_order_relaxed))
        return left - 1 <= times_.load(std::memory_order_relaxed);
    }
    return false;
  }

  // Whether an event has failed since arm().
  bool begun() const { return count_.load(std::memory_order_relaxed) <= times_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> count_{0};  // failing events still to come, and those before them, + 1; up to 1: none
  std::atomic<uint32_t> times_{0};
};

}  // namespace anneal
