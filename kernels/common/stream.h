// Stores that go past the caches, for outputs too large to be found there again.
//
// A plain store to a line that is not in cache reads the line from memory first, so c = a + b moves 16 bytes an element
// instead of 12. A streaming store writes whole lines and reads nothing; what it wrote is in no cache afterwards. It takes
// addresses aligned to a vector, and other threads see it only after fenceStreams(), which ends a task.
//
// kStreamBytes: the bytes of all operands of an op from which it pays, about the last-level cache: below it the output
// would still be there for the next op. relu(a + b) in two ops, plain / streaming ms by MB of each operand:
// 1.0: 0.032 / 0.036, 2.1: 0.071 / 0.073, 4.2: 0.154 / 0.140, 8.4: 0.350 / 0.324, 17: 0.94 / 0.77, 34: 2.3 / 1.9,
// 134: 11.1 / 8.8; but relu alone, 12.8: 0.166 / 0.202; a gradient of pooling, 32 MB in all, cold: 0.91 / 0.87 (2-core AMD EPYC Zen 5, two threads, 2026-11-25).
#pragma once

#include "../../native/core/op.h"
#include "simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace anneal::ANNEAL_ISA {

inline constexpr size_t kStreamBytes = size_t{28} << 20;

struct PlainStores {
  static constexpr bool streaming = false;
  static inline void put(float* p, vf v) { store(p, v); }
};

#if defined(__x86_64__)
struct StreamStores {
  static constexpr bool streaming = true;
  static inline void put(float* p, vf v) {  // p aligned to a vector
#if defined(__AVX512F__)
    _mm512_stream_ps(p, reinterpret_cast<__m512>(v));
#elif defined(__AVX__)
    _mm256_stream_ps(p, reinterpret_cast<__m256>(v));
#else
    _mm_stream_ps(p, reinterpret_cast<__m128>(v));
#endif
  }
};
static inline void fenceStreams() { _mm_sfence(); }
#else
using StreamStores = PlainStores;
static inline void fenceStreams() {}
#endif

static inline bool onBoundary(const void* p) { return reinterpret_cast<uintptr_t>(p) % (kLanes * 4) == 0; }

static inline size_t operandBytes(const OpCall& call) {
  size_t bytes = 0;
  for (uint32_t i = 0; i < call.nIn; ++i) bytes += call.in[i].bytes;
  for (uint32_t i = 0; i < call.nOut; ++i) bytes += call.out[i].bytes;
  return bytes;
}

static inline bool wantsStreams(const OpCall& call) {
  if (operandBytes(call) < kStreamBytes) return false;
  for (uint32_t i = 0; i < call.nIn; ++i)
    if (call.in[i].data == call.out[0].data) return false;  // its lines are in cache when they are overwritten
  return StreamStores::streaming;
}

// f(stores): StreamStores if so wished, for vectors on a boundary, else PlainStores.
template <class F> static inline void withStores(bool streams, const F& f) {
  if (streams)
    f(StreamStores{});
  else
    f(PlainStores{});
}

// f(i, lanes in use, stores) for each vector of a row of n items written to `out`, wherever that starts: with streaming
// stores a partial vector leads up to the first boundary.
template <class F> static inline void eachVectorTo(const float* out, bool streams, int64_t n, const F& f) {
  withStores(streams, [&](auto stores) {
    int64_t i = 0;
    if (stores.streaming) {
      const auto lead = static_cast<int64_t>((0 - reinterpret_cast<uintptr_t>(out)) / sizeof(float) % kLanes);
      i = lead < n ? lead : n;
      if (i > 0) f(int64_t{0}, static_cast<int>(i), PlainStores{});
    }
    for (; i + kLanes <= n; i += kLanes) f(i, kLanes, stores);
    if (i < n) f(i, static_cast<int>(n - i), PlainStores{});
  });
}

static inline vf loadLanes(const float* p, int lanes, float fill) {
  return lanes == kLanes ? load(p) : loadPartial(p, lanes, fill);
}
template <class Stores> static inline void putLanes(Stores stores, float* p, vf v, int lanes) {
  if (lanes == kLanes)
    stores.put(p, v);
  else
    storePartial(p, v, lanes);
}

}  // namespace anneal::ANNEAL_ISA
