// parallel(exec, count, f): f(index, worker) for each index in [0, count), on the thread pool.
// The closure type is local to an instruction set's namespace, so no template instance is shared between them.
#pragma once

#include "../../native/core/op.h"

namespace anneal::ANNEAL_ISA {

template <class F> inline void parallel(Exec& exec, int64_t count, const F& f) {
  if (count <= 0) return;
  if (count == 1) {
    f(int64_t{0}, Exec::kShared);
    return;
  }
  exec.parallelFor(
      count, [](void* arg, int64_t index, int worker) { (*static_cast<const F*>(arg))(index, worker); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

// Splits [0, n) into chunks of `grain` (by shape only, never by the number of threads): f(begin, end, worker).
template <class F> inline void parallelRange(Exec& exec, int64_t n, int64_t grain, const F& f) {
  if (grain < 1) grain = 1;
  parallel(exec, (n + grain - 1) / grain, [&](int64_t chunk, int worker) {
    const int64_t begin = chunk * grain;
    f(begin, begin + grain < n ? begin + grain : n, worker);
  });
}

}  // namespace anneal::ANNEAL_ISA
