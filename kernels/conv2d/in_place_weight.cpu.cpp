// Backward-weight in place.
//
// dw[(p, q, c), o] = sum over positions of x[position, (p, q, c)] dy[position, o]. A register tile holds places in the
// window (a run of one row of it, or of two) by two vectors of output channels, and runs over all positions of a few rows
// of dy: they lie in L2 and are read once for each tile. The padded rows of the image are broadcast from where they lie.
//
// Rows of dy are cut into parts whose number follows from the shape; each part sums its own dw, and they are added in
// order.
#include "../common/parallel.h"
#include "in_place.h"

namespace anneal::ANNEAL_ISA {
namespace in_place {
namespace {

// The register tile: kRows places by kVectors vectors of columns.
#if defined(__AVX512F__)
constexpr int kRows = 14;  // 28 sums, 2 vectors and the broadcast of 32 registers
#elif defined(__aarch64__)
constexpr int kRows = 12;  // 24 of 32
#else
constexpr int kRows = 6;  // 12 of 16
#endif
constexpr int kVectors = 2;
constexpr int64_t kColumns = kVectors * kLanes;

constexpr int64_t kMostFloats = 1 << 17;       // of dw: a larger one is read and written too often, block by block
constexpr int64_t kMostParts = 32;
constexpr int64_t kBlockFloats = 16384;        // of dy in a block of rows: 64 KB, a part of L2
constexpr int64_t kPartWork = 1 << 19;         // multiply-adds of a part at least
constexpr int64_t kPartFloats = 1 << 22;       // of all parts together: 16 MB

struct Block {
  const float* const* rows;  // padded rows of the image, by (row of the block) * sh + p * dh
  int64_t rowStep;           // sh
  int64_t tapStep;           // dh
  int64_t step;              // floats from one position to the next
  const float* dy;
  int64_t ldy;
  int64_t positions, rowCount;
};

// Columns from `column` on of Groups rows of the window from p on and Run places of each from k0 on, over the block's
// positions, added to `to`: the panel [KH KW C][ldTo] that starts with this column.
template <int Groups, int Run, int Vectors>
static void accumulateTile(const Block& block, int64_t p, int64_t k0, int64_t column, int64_t run, float* to,
                           int64_t ldTo) {
  vf sums[Groups * Run][Vectors] = {};
  const float* d = block.dy + column;
  for (int64_t r = 0; r < block.rowCount; ++r) {
    const float* x[Groups];
    ANNEAL_UNROLL for (int g = 0; g < Groups; ++g) x[g] = block.rows[r * block.rowStep + (p + g) * block.tapStep] + k0;
    for (int64_t b = 0; b < block.positions; ++b) {
      vf gradient[Vectors];
      ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) gradient[v] = load(d + v * kLanes);
      ANNEAL_UNROLL for (int g = 0; g < Groups; ++g)
        ANNEAL_UNROLL for (int k = 0; k < Run; ++k) {
          const vf value = splat(x[g][k]);
          ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) sums[g * Run + k][v] += value * gradient[v];
        }
      ANNEAL_UNROLL for (int g = 0; g < Groups; ++g) x[g] += block.step;
      d += block.ldy;
    }
  }
  ANNEAL_UNROLL for (int g = 0; g < Groups; ++g)
    ANNEAL_UNROLL for (int k = 0; k < Run; ++k)
      ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) {
        float* const at = to + ((p + g) * run + k0 + k) * ldTo + v * kLanes;
        store(at, load(at) + sums[g * Run + k][v]);
      }
}

using PlacesFn = void (*)(const Block& block, int64_t p, int64_t k0, int64_t column, int64_t run, float* to, int64_t ldTo);
template <int Groups, int Vectors, int... Run> struct TileTable {
  static constexpr PlacesFn entry[] = {accumulateTile<Groups, Run + 1, Vectors>...};
};
template <int Groups, int Vectors, int Count, int... Run>
struct MakeTable : MakeTable<Groups, Vectors, Count - 1, Count - 1, Run...> {};
template <int Groups, int Vectors, int... Run>
struct MakeTable<Groups, Vectors, 0, Run...> : TileTable<Groups, Vectors, Run...> {};

static inline PlacesFn placesFor(int64_t groups, int64_t run, int64_t vectors) {
  if (groups == 1)
    return vectors == 1 ? MakeTable<1, 1, kRows>::entry[run - 1] : MakeTable<1, kVectors, kRows>::entry[run - 1];
  return vectors == 1 ? MakeTable<2, 1, kRows / 2>::entry[run - 1] : MakeTable<2, kVectors, kRows / 2>::entry[run - 1];
}

// A panel of columns of dw, from j on, for one block.
static void accumulateBlock(const RowShape& s, const Block& block, int64_t j, float* to, int64_t ldTo) {
  const int64_t groups = 2 * s.run <= kRows ? 2 : 1;
  const Pieces runs(s.run, kRows / groups);
  for (int64_t p = 0; p < s.kh; p += groups)
    for (int64_t r = 0; r < runs.count; ++r)
      placesFor(least(groups, s.kh - p), runs.size(r), ldTo / kLanes)(block, p, runs.begin(r), j, s.run, to, ldTo);
}

// to[o] += sum over rows of from[row * ld + o], o < columns, a whole number of vectors. Four sums, so that one addition
// need not wait for the last.
static void accumulateRows(const float* from, int64_t rows, int64_t ld, int64_t columns, float* to) {
  for (int64_t o = 0; o < columns; o += kLanes) {
    vf sums[4] = {};
    const float* at = from + o;
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4, at += 4 * ld)
      ANNEAL_UNROLL for (int i = 0; i < 4; ++i) sums[i] += load(at + i * ld);
    for (; r < rows; ++r, at += ld) sums[0] += load(at);
    store(to + o, load(to + o) + ((sums[0] + sums[1]) + (sums[2] + sums[3])));
  }
}

}  // namespace
}  // namespace in_place

using namespace in_place;

bool conv2dBackwardWeightInPlace(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  if (p.groups != 1 || p.dilationW != 1) return false;
  const RowShape s(p);
  const int64_t ld = roundUp(s.oc, kLanes), window = s.kh * s.run, partFloats = (window + 1) * ld;
  if (s.n * s.oh * s.ow == 0 || partFloats > kMostFloats || (s.kh * s.kw == 1 && s.c >= kLanes)) return false;
  const float *const x = call.input<float>(0), *const dy = call.input<float>(1);
  float* const dw = call.output<float>(0);
  float* const db = call.nOut > 1 ? call.output<float>(1) : nullptr;

  const int64_t rowsEach = least(s.oh, 1 + kBlockFloats / (s.ow * ld)), blocksEach = ceilDiv(s.oh, rowsEach);
  const int64_t blocks = s.n * blocksEach;
  const double work = static_cast<double>(s.n * s.oh * s.ow) * window * s.oc;
  int64_t parts = least(least(kMostParts, blocks), static_cast<int64_t>(work / kPartWork) + 1);
  parts = least(parts, 1 + kPartFloats / partFloats);
  auto* const partials = static_cast<float*>(
      call.exec.scratch(Exec::kShared, 3, static_cast<size_t>(parts * partFloats) * 4));

  const int64_t rowFloats = s.wp * s.c, imageRows = (rowsEach - 1) * s.sh + (s.kh - 1) * s.dh + 1;
  const int64_t dyFloats = ld == s.oc ? 0 : rowsEach * s.ow * ld;
  const Pieces cut(blocks, ceilDiv(blocks, parts));
  const int64_t panels = ceilDiv(ld, kColumns);
  const bool inside = !s.padsRows();
  // A task is a panel of columns of one part; a panel [window + 1][width] ends with db.
  parallel(call.exec, cut.count * panels, [&](int64_t task, int worker) {
    const int64_t part = task / panels, j = task % panels * kColumns, width = least(kColumns, ld - j);
    float* const to = partials + part * partFloats + j * (window + 1);
    std::memset(to, 0, static_cast<size_t>((window + 1) * width) * 4);
    auto** const rows = static_cast<const float**>(call.exec.scratch(worker, 1, static_cast<size_t>(imageRows) * 8));
    auto* const padded = static_cast<float*>(
        call.exec.scratch(worker, 2, static_cast<size_t>((imageRows + 1) * rowFloats + dyFloats) * 4));
    float* const zeros = padded + imageRows * rowFloats;
    float* const whole = zeros + rowFloats;  // dy with whole vectors of channels
    std::memset(zeros, 0, static_cast<size_t>(rowFloats) * 4);
    for (int64_t i = cut.begin(part); i < cut.begin(part) + cut.size(part); ++i) {
      const int64_t n = i / blocksEach, a = i % blocksEach * rowsEach, count = least(rowsEach, s.oh - a);
      for (int64_t r = 0; r < (count - 1) * s.sh + (s.kh - 1) * s.dh + 1; ++r) {
        const int64_t row = a * s.sh - s.top + r;
        const float* const from = x + (n * s.h + row) * s.w * s.c;
        rows[r] = zeros;
        if (row < 0 || row >= s.h) continue;
        rows[r] = inside ? from : padded + r * rowFloats;
        if (!inside) padRow(s, from, padded + r * rowFloats);
      }
      const float* gradient = dy + (n * s.oh + a) * s.ow * s.oc;
      if (ld != s.oc) {
        for (int64_t b = 0; b < count * s.ow; ++b) {
          std::memcpy(whole + b * ld, gradient + b * s.oc, static_cast<size_t>(s.oc) * 4);
          std::memset(whole + b * ld + s.oc, 0, static_cast<size_t>(ld - s.oc) * 4);
        }
        gradient = whole;
      }
      accumulateBlock(s, {rows, s.sh, s.dh, s.step, gradient, ld, s.ow, count}, j, to, width);
      if (db != nullptr) accumulateRows(gradient + j, count * s.ow, ld, width, to + window * width);
    }
  });
  parallelRange(call.exec, window + (db == nullptr ? 0 : 1), 1 + 16384 / ld, [&](int64_t begin, int64_t end, int) {
    for (int64_t k = begin; k < end; ++k) {
      float* const to = k < window ? dw + k * s.oc : db;
      for (int64_t o = 0; o < s.oc; o += kLanes) {
        const int64_t j = o / kColumns * kColumns, width = least(kColumns, ld - j);
        const float* const from = partials + j * (window + 1) + k * width + o - j;
        vf sum = load(from);
        for (int64_t part = 1; part < cut.count; ++part) sum += load(from + part * partFloats);
        const int count = static_cast<int>(least(kLanes, s.oc - o));
        if (p.accumulate != 0) sum = loadPartial(to + o, count) + sum;
        if (count == kLanes) store(to + o, sum);
        else storePartial(to + o, sum, count);
      }
    }
  });
  return true;
}

}  // namespace anneal::ANNEAL_ISA
