// The addon's own clock around a kernel, on the queue thread: what a call from JavaScript costs is not in it.
#pragma once

#include "registry.h"

namespace anneal {

struct Timing {
  double* seconds;   // [samples]: of one execution each
  uint32_t samples;
  uint32_t inner;    // executions a sample, at least 1
  bool cold;         // evict the operands from the caches before each sample; takes inner = 1 to mean anything
};

// Executions of one call, and seconds that all of them may take by the time of the first: the queue runs nothing else
// meanwhile, and cannot be stopped.
constexpr uint64_t kMaxExecutions = uint64_t{1} << 24;
constexpr double kMaxTimedSeconds = 600;

// Executes the kernel samples * inner times. Raises Code::range after the first execution (and eviction) if it took more
// than its share of kMaxTimedSeconds.
void timeKernel(KernelFn kernel, Isa isa, const OpCall& call, const Timing& timing);

}  // namespace anneal
