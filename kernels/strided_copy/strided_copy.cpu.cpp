// CPU body of strided_copy. Dimensions are ordered by the output's strides and merged where both views allow it, so
// that writes run forward through memory; then the innermost reads decide the path.
#include "strided_copy.h"

#include "../common/parallel.h"
#include "../common/simd.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t kTaskItems = 16384;  // about what it takes for a task to outweigh waking a thread
constexpr int64_t kTile = 32;          // 32 x 32 items of both sides, 8 KiB, stay in the L1 cache

typedef int32_t v4 __attribute__((vector_size(16)));
typedef int32_t v4_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

// The two views over the same dimensions, outermost first. Never empty; rank 0 is one item.
struct Views {
  int rank = 0;
  int64_t dims[kCopyRank];
  int64_t in[kCopyRank];
  int64_t out[kCopyRank];

  void swap(int a, int b) {
    const int64_t dim = dims[a], from = in[a], to = out[a];
    dims[a] = dims[b], in[a] = in[b], out[a] = out[b];
    dims[b] = dim, in[b] = from, out[b] = to;
  }

  void merge() {
    int kept = 0;
    for (int d = 1; d < rank; ++d) {
      if (in[kept] == in[d] * dims[d] && out[kept] == out[d] * dims[d]) {
        dims[kept] *= dims[d];
      } else {
        ++kept;
        dims[kept] = dims[d];
      }
      in[kept] = in[d];
      out[kept] = out[d];
    }
    if (rank > 0) rank = kept + 1;
  }

  // Offsets of item i over the first `outer` dimensions.
  void offsets(int64_t i, int outer, int64_t& from, int64_t& to) const {
    for (int d = outer - 1; d >= 0; --d) {
      from += i % dims[d] * in[d];
      to += i % dims[d] * out[d];
      i /= dims[d];
    }
  }

  int64_t count(int outer) const {
    int64_t n = 1;
    for (int d = 0; d < outer; ++d) n *= dims[d];
    return n;
  }
};

Views viewsOf(const StridedCopyParams& p) {
  Views v;
  for (uint32_t d = 0; d < p.rank; ++d) {
    if (p.dims[d] == 1) continue;
    v.dims[v.rank] = p.dims[d];
    v.in[v.rank] = p.inStrides[d];
    v.out[v.rank] = p.outStrides[d];
    for (int at = v.rank++; at > 0 && magnitude(v.out[at - 1]) < magnitude(v.out[at]); --at) v.swap(at - 1, at);
  }
  v.merge();
  return v;
}

struct Copy {
  static constexpr bool kMoves = true;
  template <class T> static void item(T& out, T x) { out = x; }
};
struct Accumulate {
  static constexpr bool kMoves = false;
  template <class T> static void item(T& out, T x) { out += x; }
};

template <class Op, class T>
void copyRow(T* out, int64_t outStride, const T* in, int64_t inStride, int64_t n) {
  if (outStride == 1 && inStride == 1) {
    for (int64_t i = 0; i < n; ++i) Op::item(out[i], in[i]);
  } else if (outStride == 1 && inStride == 0) {
    const T x = in[0];
    for (int64_t i = 0; i < n; ++i) Op::item(out[i], x);
  } else {
    for (int64_t i = 0; i < n; ++i) Op::item(out[i * outStride], in[i * inStride]);
  }
}

// out[r * outStride + c] = in[c * inStride + r] for a tile; 4 x 4 blocks of 4-byte items in registers.
template <class Op, class T>
void transposeTile(T* out, int64_t outStride, const T* in, int64_t inStride, int64_t rows, int64_t columns) {
  int64_t r = 0;
  if constexpr (sizeof(T) == 4 && Op::kMoves) {
    for (; r + 4 <= rows; r += 4) {
      int64_t c = 0;
      for (; c + 4 <= columns; c += 4) {
        const T* source = in + c * inStride + r;
        const v4 a = *reinterpret_cast<const v4_unaligned*>(source);
        const v4 b = *reinterpret_cast<const v4_unaligned*>(source + inStride);
        const v4 e = *reinterpret_cast<const v4_unaligned*>(source + 2 * inStride);
        const v4 f = *reinterpret_cast<const v4_unaligned*>(source + 3 * inStride);
        const v4 ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
        const v4 ef0 = __builtin_shufflevector(e, f, 0, 4, 1, 5), ef1 = __builtin_shufflevector(e, f, 2, 6, 3, 7);
        T* target = out + r * outStride + c;
        *reinterpret_cast<v4_unaligned*>(target) = __builtin_shufflevector(ab0, ef0, 0, 1, 4, 5);
        *reinterpret_cast<v4_unaligned*>(target + outStride) = __builtin_shufflevector(ab0, ef0, 2, 3, 6, 7);
        *reinterpret_cast<v4_unaligned*>(target + 2 * outStride) = __builtin_shufflevector(ab1, ef1, 0, 1, 4, 5);
        *reinterpret_cast<v4_unaligned*>(target + 3 * outStride) = __builtin_shufflevector(ab1, ef1, 2, 3, 6, 7);
      }
      for (int64_t q = r; q < r + 4; ++q)
        copyRow<Op>(out + q * outStride + c, 1, in + c * inStride + q, inStride, columns - c);
    }
  }
  for (; r < rows; ++r) copyRow<Op>(out + r * outStride, 1, in + r, inStride, columns);
}

// The last two dimensions are [rows, columns], out[.., 1] and in [1, ..]; those before are outer.
template <class Op, class T> void transpose(Exec& exec, const Views& v, const T* in, T* out) {
  const int outer = v.rank - 2;
  const int64_t rows = v.dims[outer], columns = v.dims[outer + 1];
  const int64_t outStride = v.out[outer], inStride = v.in[outer + 1];
  const int64_t bands = (rows + kTile - 1) / kTile;
  parallelRange(exec, v.count(outer) * bands, kTaskItems / (kTile * columns) + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t from = 0, to = 0;
      v.offsets(i / bands, outer, from, to);
      const int64_t r = i % bands * kTile;
      const int64_t height = rows - r < kTile ? rows - r : kTile;
      for (int64_t c = 0; c < columns; c += kTile) {
        const int64_t width = columns - c < kTile ? columns - c : kTile;
        // Through a buffer, so that each line of memory is visited once: lines at a distance of a power of two share
        // a few places in the cache and would not stay.
        T tile[kTile * kTile];
        for (int64_t k = 0; k < width; ++k)
          std::memcpy(tile + k * kTile, in + from + (c + k) * inStride + r, static_cast<size_t>(height) * sizeof(T));
        transposeTile<Op>(out + to + r * outStride + c, outStride, tile, kTile, height, width);
      }
    }
  });
}

template <class Op, class T> void copyRows(Exec& exec, const Views& v, const T* in, T* out) {
  const int outer = v.rank - 1;
  const int64_t length = v.dims[outer];
  const int64_t pieces = (length + kTaskItems - 1) / kTaskItems;
  const int64_t piece = pieces == 1 ? length : kTaskItems;
  parallelRange(exec, v.count(outer) * pieces, kTaskItems / piece, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t start = i % pieces * piece;
      int64_t from = start * v.in[outer], to = start * v.out[outer];
      v.offsets(i / pieces, outer, from, to);
      const int64_t n = length - start < piece ? length - start : piece;
      copyRow<Op>(out + to, v.out[outer], in + from, v.in[outer], n);
    }
  });
}

template <class Op, class T> void run(const OpCall& call, const StridedCopyParams& p) {
  const T* in = call.input<T>(0) + p.inOffset;
  T* out = call.output<T>(0) + p.outOffset;
  Views v = viewsOf(p);
  if (v.rank == 0) {
    Op::item(out[0], in[0]);
    return;
  }
  const int last = v.rank - 1;
  if (v.out[last] == 1 && v.in[last] != 1 && v.dims[last] >= 4) {
    for (int d = last - 1; d >= 0; --d) {
      if (v.in[d] != 1 || v.dims[d] < 4) continue;
      for (int at = d; at + 1 < last; ++at) v.swap(at, at + 1);
      return transpose<Op>(call.exec, v, in, out);
    }
  }
  copyRows<Op>(call.exec, v, in, out);
}

}  // namespace

void strided_copy(const OpCall& call) {
  const auto& p = call.as<StridedCopyParams>();
  for (uint32_t d = 0; d < p.rank; ++d)
    if (p.dims[d] == 0) return;
  if (p.dtype == static_cast<uint32_t>(DType::u8)) return run<Copy, uint8_t>(call, p);
  if (p.accumulate == 0) return run<Copy, uint32_t>(call, p);
  if (p.dtype == static_cast<uint32_t>(DType::f32)) return run<Accumulate, float>(call, p);
  run<Accumulate, uint32_t>(call, p);
}

}  // namespace anneal::ANNEAL_ISA
