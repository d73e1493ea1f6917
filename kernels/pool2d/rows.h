// What both directions of pooling are made of: windows cut at the edges of an image, vectors of channels, tasks of rows.
#pragma once

#include "../common/parallel.h"
#include "../common/stream.h"
#include "pool2d.h"

namespace anneal::ANNEAL_ISA {
namespace pool {

inline constexpr int64_t kTaskWork = 1 << 15;  // element visits below which a second thread costs more than it saves

struct Range {
  int64_t begin, end;
};

static inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }  // a >= 0

// The part of window `o` inside [0, size), in image coordinates; never empty (the check sees to it).
static inline Range windowRange(int64_t o, int64_t stride, int64_t pad, int64_t window, int64_t size) {
  const int64_t start = o * stride - pad, end = start + window;
  return {start > 0 ? start : 0, end < size ? end : size};
}

// A vector of channels, or the part of one that is left where there are fewer channels than lanes.
struct WholeVector {
  vf at(const float* p) const { return load(p); }
  template <class Stores> void put(Stores stores, float* p, vf v) const { stores.put(p, v); }
};
struct PartOfVector {
  int n;
  vf at(const float* p) const { return loadPartial(p, n); }
  template <class Stores> void put(Stores, float* p, vf v) const { storePartial(p, v, n); }
};

// f(lanes, c) for c = 0, kLanes, ... over c < count, the last one moved back to end at `count` (it computes a few channels
// twice, with the same result).
template <class F> static inline void eachChannel(int64_t count, const F& f) {
  if (count < kLanes) return f(PartOfVector{static_cast<int>(count)}, int64_t{0});
  for (int64_t c = 0; c + kLanes <= count; c += kLanes) f(WholeVector{}, c);
  if (count % kLanes) f(WholeVector{}, count - kLanes);
}

template <class T> static inline float* asFloats(T* p) { return reinterpret_cast<float*>(p); }
template <class T> static inline const float* asFloats(const T* p) { return reinterpret_cast<const float*>(p); }

// f(n, row) for each row of each image: [0, n * rows), split so that a task has about kTaskWork element visits.
template <class F>
static inline void eachRow(const OpCall& call, int64_t images, int64_t rows, int64_t rowWork, const F& f) {
  const int64_t grain = rowWork >= kTaskWork ? 1 : ceilDiv(kTaskWork, rowWork > 0 ? rowWork : 1);
  parallelRange(call.exec, images * rows, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) f(i / rows, i % rows);
    fenceStreams();
  });
}

// Element visits of one row of outputs (or, for the backward ops, of inputs), saturated well below overflow.
static inline int64_t rowWork(int64_t width, int64_t channels, int64_t taps) {
  const int64_t cap = kTaskWork;
  const int64_t a = width < cap ? width : cap, b = channels < cap ? channels : cap, c = taps < cap ? taps : cap;
  return a * b * c;
}

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// f(stores): whether the output, whose vectors start at a multiple of `channels`, goes past the caches.
template <class F> static inline void withPoolStores(const OpCall& call, const F& f) {
  const bool aligned = call.as<Pool2dParams>().c % kLanes == 0 && onBoundary(call.out[0].data) &&
                       (call.nOut < 2 || onBoundary(call.out[1].data));
  withStores(aligned && wantsStreams(call), f);
}

}  // namespace pool
}  // namespace anneal::ANNEAL_ISA
