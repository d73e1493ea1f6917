// Walks a dense output and N strided operands over the same dimensions. For the bodies of the broadcasting ops.
#pragma once

#include "../common/parallel.h"
#include "../common/stream.h"
#include "elementwise.h"

namespace anneal::ANNEAL_ISA {

// Items a task: a sweep over this much in cache takes a few microseconds, about what waking a thread costs.
inline constexpr int64_t kElementwiseGrain = 16384;

// Items gathered at a time when an operand cannot be read in place: three buffers of it stay in the L1 cache.
inline constexpr int64_t kGatherBlock = 1024;

// Below this inner length gathering short rows and then computing on whole blocks wins over computing row by row.
inline constexpr int64_t kShortRow = 32;

template <int N> struct Broadcast {
  int rank = 0;
  int64_t count = 1;
  int64_t dims[kElementwiseRank];
  int64_t strides[N][kElementwiseRank];

  // Adds the next inner dimension, merged into the one before where all operands allow it.
  void append(int64_t dim, const int64_t (&stride)[N]) {
    count *= dim;
    if (dim == 1) return;
    bool merges = rank > 0;
    for (int k = 0; k < N && merges; ++k) merges = strides[k][rank - 1] == stride[k] * dim;
    if (!merges) dims[rank++] = 1;
    dims[rank - 1] *= dim;
    for (int k = 0; k < N; ++k) strides[k][rank - 1] = stride[k];
  }

  int64_t inner() const { return rank == 0 ? 1 : dims[rank - 1]; }
  int64_t innerStride(int k) const { return rank == 0 ? 0 : strides[k][rank - 1]; }
  bool readableInPlace(int k) const { return innerStride(k) == 0 || innerStride(k) == 1; }

  // f(position, offsets of the N operands, length) for each piece of a row in [begin, end) of the output.
  template <class F> void rows(int64_t begin, int64_t end, const F& f) const {
    int64_t index[kElementwiseRank] = {};
    int64_t offsets[N] = {};
    int64_t rest = begin;
    for (int d = rank - 1; d >= 0; --d) {
      index[d] = rest % dims[d];
      rest /= dims[d];
      for (int k = 0; k < N; ++k) offsets[k] += index[d] * strides[k][d];
    }
    for (int64_t at = begin; at < end;) {
      const int last = rank - 1;
      const int64_t left = rank == 0 ? 1 : dims[last] - index[last];
      const int64_t length = left < end - at ? left : end - at;
      f(at, offsets, length);
      at += length;
      if (at >= end) return;
      for (int k = 0; k < N; ++k) offsets[k] -= index[last] * strides[k][last];  // the row is done: next row's start
      index[last] = 0;
      for (int d = last - 1; d >= 0; --d) {
        for (int k = 0; k < N; ++k) offsets[k] += strides[k][d];
        if (++index[d] < dims[d]) break;
        for (int k = 0; k < N; ++k) offsets[k] -= dims[d] * strides[k][d];
        index[d] = 0;
      }
    }
  }
};

// As broadcastRows below, for a matrix of short rows: an operand of one row is repeated over a block once, a dense one is
// read in place, and any other gathered block by block.
template <int N, class F>
static inline void shortRows(Exec& exec, const Broadcast<N>& shape, const int32_t* const (&in)[N], int32_t* out,
                             const F& f) {
  const int64_t inner = shape.dims[1];
  const int64_t blockRows = kGatherBlock / inner;
  const auto fill = [&](int k, int32_t* block, int64_t firstRow, int64_t rows) {
    const int64_t outerStride = shape.strides[k][0], innerStride = shape.strides[k][1];
    const int32_t* source = in[k] + firstRow * outerStride;
    for (int64_t r = 0; r < rows; ++r, source += outerStride)
      for (int64_t c = 0; c < inner; ++c) *block++ = source[c * innerStride];
  };
  parallelRange(exec, shape.dims[0], kElementwiseGrain / inner, [&](int64_t begin, int64_t end, int) {
    alignas(64) int32_t blocks[N][kGatherBlock];
    const int32_t* operands[N];
    int steps[N];
    bool dense[N], once[N];
    for (int k = 0; k < N; ++k) {
      dense[k] = shape.strides[k][0] == inner && shape.strides[k][1] == 1;
      once[k] = shape.strides[k][0] == 0;
      steps[k] = 1;
      operands[k] = blocks[k];
      if (once[k]) fill(k, blocks[k], 0, blockRows);
    }
    for (int64_t row = begin; row < end; row += blockRows) {
      const int64_t rows = row + blockRows < end ? blockRows : end - row;
      for (int k = 0; k < N; ++k) {
        if (dense[k])
          operands[k] = in[k] + row * inner;
        else if (!once[k])
          fill(k, blocks[k], row, rows);
      }
      f(out + row * inner, operands, steps, rows * inner);
    }
    fenceStreams();
  });
}

// Calls f(out, operands, steps, length) over the whole output in parallel. Steps are 1 (dense) or 0 (one value for
// all): rows that are short or strided otherwise are gathered into a block first. Items are 4 bytes.
template <int N, class F>
static inline void broadcastRows(Exec& exec, const Broadcast<N>& shape, const int32_t* const (&in)[N], int32_t* out,
                                 const F& f) {
  if (shape.rank == 2 && shape.inner() < kShortRow) return shortRows<N>(exec, shape, in, out, f);
  bool gather = shape.rank > 1 && shape.inner() < kShortRow;
  for (int k = 0; k < N; ++k) gather = gather || !shape.readableInPlace(k);
  parallelRange(exec, shape.count, kElementwiseGrain, [&](int64_t begin, int64_t end, int) {
    if (!gather) {
      shape.rows(begin, end, [&](int64_t at, const int64_t* offsets, int64_t length) {
        const int32_t* operands[N];
        int steps[N];
        for (int k = 0; k < N; ++k) {
          operands[k] = in[k] + offsets[k];
          steps[k] = static_cast<int>(shape.innerStride(k));
        }
        f(out + at, operands, steps, length);
      });
      fenceStreams();
      return;
    }
    alignas(64) int32_t blocks[N][kGatherBlock];
    const int32_t* operands[N];
    int steps[N];
    for (int k = 0; k < N; ++k) {
      operands[k] = blocks[k];
      steps[k] = 1;
    }
    for (int64_t start = begin; start < end; start += kGatherBlock) {
      const int64_t stop = start + kGatherBlock < end ? start + kGatherBlock : end;
      shape.rows(start, stop, [&](int64_t at, const int64_t* offsets, int64_t length) {
        for (int k = 0; k < N; ++k) {
          const int32_t* source = in[k] + offsets[k];
          const int64_t stride = shape.innerStride(k);
          int32_t* target = blocks[k] + (at - start);
          for (int64_t i = 0; i < length; ++i) target[i] = source[i * stride];
        }
      });
      f(out + start, operands, steps, stop - start);
    }
    fenceStreams();
  });
}

}  // namespace anneal::ANNEAL_ISA
