// Size checks shared by the contracts of the optimizer ops (kernels/common/segments.h).
// Compiled once: include only from contract files.
#pragma once

#include "../../native/core/check.h"
#include "segments.h"

namespace anneal::check {

// Inputs [grads, segments, normSquared?].
static inline void arenaInputs(const OpCall& call, uint32_t n, uint32_t segments) {
  range("n", n, 0, kMaxArena);
  input(call, 0, "grads", n);
  input(call, 1, "segments", product("segments", segments, kSegmentBytes / 4), DType::i32);  // words of either kind
  if (call.nIn > 2) optionalInput(call, 2, "normSquared", 1);
}

// No operand that is written may share bytes with another: blocks run on several threads, and the segment table and
// the norm must not change under the kernel.
static inline void arenaDistinct(const OpCall& call) {
  for (uint32_t out = 0; out < call.nOut; ++out) {
    if (call.out[out].data == nullptr) continue;
    for (uint32_t in = 0; in < call.nIn; ++in)
      if (call.in[in].data != nullptr) distinct(call, out, in);
    const auto begin = reinterpret_cast<uintptr_t>(call.out[out].data);
    for (uint32_t other = 0; other < out; ++other) {
      const auto otherBegin = reinterpret_cast<uintptr_t>(call.out[other].data);
      const bool apart = call.out[other].bytes == 0 || call.out[out].bytes == 0 ||
                         begin >= otherBegin + call.out[other].bytes || otherBegin >= begin + call.out[out].bytes;
      condition(apart, Code::argument, "expected outputs %u and %u not to overlap, received overlapping buffers", other,
                out);
    }
  }
}

}  // namespace anneal::check
