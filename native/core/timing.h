// The addon's own clock around a kernel, on the queue thread: what a call from JavaScript costs is not in it.
#pragma once

#include "op.h"

namespace anneal {

struct Timing {
  double* seconds;   // [samples]: of one execution each
  uint32_t samples;
  uint32_t inner;    // executions a sample, at least 1
  bool cold;         // evict the operands from the caches before each sample; takes inner = 1 to mean anything
};

// Executes the kernel samples * inner times.
void timeKernel(KernelFn kernel, const OpCall& call, const Timing& timing);

}  // namespace anneal
