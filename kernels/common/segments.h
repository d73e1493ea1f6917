// The flat parameter arena, as the optimizer ops see it.
//
// Parameters, gradients and optimizer state are parallel flat f32 buffers of n elements. The segment table (device
// buffer, i32 rows of 8 words) says which elements form one parameter and how it is treated:
//
//   word  0 begin        first element
//         1 end          one past the last element
//         2 lrScale      bits of an f32: the segment's rate is lr * lrScale
//         3 weightDecay  bits of an f32
//         4 flags        bit 0: frozen, the segment is not touched at all
//         5..7           0
//
// Rows are in ascending order and do not overlap: 0 <= begin <= end <= n, begin >= end of the row before. Elements in
// no segment (padding) are never touched. The table is device data, so its rows are validated when the kernel runs
// (E_RANGE, before anything is written); sizes are validated by the op's check.
#pragma once

#include "../../native/core/op.h"

namespace anneal {

struct Segment {
  int32_t begin;
  int32_t end;
  float lrScale;
  float weightDecay;
  uint32_t flags;
  int32_t reserved[3];
};

constexpr uint32_t kSegmentFrozen = 1;
constexpr int64_t kSegmentBytes = 32;
static_assert(sizeof(Segment) == kSegmentBytes, "a row of the segment table is 8 words");

// The most elements of one arena: begin and end are i32.
constexpr int64_t kMaxArena = INT32_MAX;

static inline void validateSegments(const Segment* segments, int64_t count, int64_t n) {
  int64_t previous = 0;
  for (int64_t s = 0; s < count; ++s) {
    const int64_t begin = segments[s].begin;
    const int64_t end = segments[s].end;
    if (begin < previous || end < begin || end > n)
      raise(Code::range, "expected segment %lld to lie within [%lld, %lld], received [%lld, %lld)",
            static_cast<long long>(s), static_cast<long long>(previous), static_cast<long long>(n),
            static_cast<long long>(begin), static_cast<long long>(end));
    previous = end;
  }
}

// The factor on every gradient: gradScale, and where a norm is given, clipping of the scaled gradients to a global norm
// of clipNorm: min(1, clipNorm / (norm + 1e-6)) as in torch.nn.utils.clip_grad_norm_. A NaN norm gives NaN.
static inline float gradientFactor(float gradScale, float clipNorm, const float* normSquared) {
  if (normSquared == nullptr || !(clipNorm > 0.0f)) return gradScale;
  const double root = __builtin_sqrt(static_cast<double>(*normSquared));
  const double norm = __builtin_fabs(static_cast<double>(gradScale)) * root;
  const double clip = static_cast<double>(clipNorm) / (norm + 1e-6);
  return static_cast<float>(static_cast<double>(gradScale) * (clip > 1.0 ? 1.0 : clip));
}

// Operand i, or nullptr where it is absent or was not passed.
static inline const float* optionalIn(const OpCall& call, uint32_t i) {
  return i < call.nIn ? call.input<float>(i) : nullptr;
}
static inline float* optionalOut(const OpCall& call, uint32_t i) {
  return i < call.nOut ? call.output<float>(i) : nullptr;
}

}  // namespace anneal
