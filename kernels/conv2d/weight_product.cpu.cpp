// Backward-weight as a product whose depth is the positions (weight_product.h):
//
//   dw[(p, q, c), o] = sum over positions r of window(r, (p, q, c)) dy[r, o]
//
// The wider of the two sides is B. Where that is the window, the product gives dw transposed, which is put right when it is
// copied out. Where panels are whole vectors of one tap no image is padded: a table holds where each position's pixel is, or
// zeros.
//
// Positions are cut into parts whose number follows from the shape; each part sums its own dw and they are added in order.
// Places are cut into as many tasks as there are threads, which changes no value.
#include "in_place.h"
#include "weight_product.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t kParts = 16;                // partial sums of dw at most: enough for any thread count here
constexpr int64_t kPositionsInPart = 1024;    // and at least this many positions in each
constexpr int64_t kPartFloats = int64_t{1} << 22;  // 16 MB for all of them

// A power of two, which most numbers of threads share evenly.
int64_t partsOf(int64_t positions, int64_t floats) {
  const int64_t most = least(kParts, least(positions / kPositionsInPart, kPartFloats / floats));
  int64_t parts = 1;
  while (2 * parts <= most) parts *= 2;
  return parts;
}

// to[o] = sums of the columns [o0, o1) of dy over positions [begin, end), four rows at a time.
void sumRows(const float* dy, int64_t begin, int64_t end, int64_t oc, int64_t o0, int64_t o1, float* to) {
  std::memset(to + o0, 0, static_cast<size_t>(o1 - o0) * 4);
  for (int64_t r = begin; r < end; r += 4) {
    const bool whole = r + 4 <= end;
    for (int64_t o = o0; o < o1; o += kLanes) {
      const int count = static_cast<int>(least(kLanes, o1 - o));
      const float* const at = dy + r * oc + o;
      vf sum = loadPartial(to + o, count);
      if (whole)
        sum += (loadPartial(at, count) + loadPartial(at + oc, count)) +
               (loadPartial(at + 2 * oc, count) + loadPartial(at + 3 * oc, count));
      else
        for (int64_t i = 0; i < end - r; ++i) sum += loadPartial(at + i * oc, count);
      storePartial(to + o, sum, count);
    }
  }
}

// dw[m, o] = sum over parts of from[o, m], or that added to dw, for `rows` places m and all o of a block of kTileColumns.
constexpr int64_t kCopyRows = 64;
void copyTransposed(const float* from, int64_t parts, int64_t stride, int64_t ld, int64_t rows, int64_t columns, bool accumulate,
                    float* dw, int64_t oc) {
  alignas(64) float sums[kTileColumns][kCopyRows], out[kCopyRows * kTileColumns + kLanes];
  const float* lines[kTileColumns];
  for (int64_t o = 0; o < kTileColumns; ++o) {
    lines[o] = sums[o];
    if (o >= columns) continue;
    for (int64_t m = 0; m < rows; m += kLanes) {
      const int count = static_cast<int>(least(kLanes, rows - m));
      vf sum = loadPartial(from + o * ld + m, count);
      for (int64_t part = 1; part < parts; ++part) sum += loadPartial(from + part * stride + o * ld + m, count);
      store(sums[o] + m, sum);
    }
  }
  packRows<kTileColumns>(lines, rows, out);
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t o = 0; o < columns; o += kLanes) {
      const int count = static_cast<int>(least(kLanes, columns - o));
      vf sum = load(out + m * kTileColumns + o);
      if (accumulate) sum = loadPartial(dw + m * oc + o, count) + sum;
      storePartial(dw + m * oc + o, sum, count);
    }
}

}  // namespace

void conv2d_backward_weight(const OpCall& call) {
  if (conv2dBackwardWeightInPlace(call)) return;
  Exec& exec = call.exec;
  const Shape s(call.as<Conv2dParams>());
  const bool accumulate = call.as<Conv2dParams>().accumulate != 0;
  float* const dw = call.output<float>(0);
  float* const db = call.nOut > 1 ? call.output<float>(1) : nullptr;
  const int64_t window = s.kh * s.kw * s.cg, weights = window * s.oc, positions = s.positions();
  if (positions == 0) {
    if (accumulate) return;
    std::memset(dw, 0, static_cast<size_t>(weights) * 4);
    if (db != nullptr) std::memset(db, 0, static_cast<size_t>(s.oc) * 4);
    return;
  }
  const float* const dy = call.input<float>(1);
  const bool transposed = window > s.og;
  const bool pads = s.top != 0 || s.left != 0 || s.hp > s.h || s.wp > s.w;
  const bool byTaps = transposed && pads && s.cg % kTileColumns == 0;
  const int64_t each = ceilDiv(positions, partsOf(positions, weights + s.oc)), parts = ceilDiv(positions, each);
  const bool direct = parts == 1 && !transposed && !accumulate;

  // Slot 3 holds the segments, then the parts, then zeros: ask for all of it before forwardWindows asks for less.
  const int64_t stride = weights + s.oc, partFloats = direct ? 0 : parts * stride;
  const size_t segmentBytes = (static_cast<size_t>(s.kh * s.kw) * 8 + 63) / 64 * 64;
  auto* const base = static_cast<std::byte*>(
      exec.scratch(Exec::kShared, 3, segmentBytes + static_cast<size_t>(partFloats + s.cg) * 4 + 64));
  auto* const offsets = reinterpret_cast<int64_t*>(base);
  auto* const partial = reinterpret_cast<float*>(base + segmentBytes);
  float* const zeros = partial + (partFloats + 15) / 16 * 16;
  std::memset(zeros, 0, static_cast<size_t>(s.cg) * 4);
  *offsets = 0;
  const int64_t start = 0;
  Side x{call.input<float>(0), {s.oh, s.ow, 0, 0, 0}, {&start, s.cg}, window, nullptr, &s, zeros};
  if (!byTaps) {
    const ForwardWindows windows = forwardWindows(exec, s, call.input<float>(0));
    x = {windows.image.data, windows.grid, windows.segments, window, windows.end, nullptr, nullptr};
  }
  const Side y{dy, {1, positions, 0, 0, s.oc}, {&start, s.og}, s.og, dy + positions * s.oc, nullptr, nullptr};

  // Of a group. Few tasks are cut up so that threads end together.
  const int64_t threads = exec.threads(), work = weights / s.groups * positions, uncut = parts * s.groups;
  const int64_t wanted = uncut % threads == 0 || uncut >= 4 * threads ? 1 : threads;
  const int64_t cuts = most(1, least(wanted, work / parts / kSerialWork));
  const Grid2 grid = transposed ? gridOf(s.og, window, cuts) : gridOf(window, s.og, cuts);
  const int64_t cells = grid.rows * grid.columns;
  const auto task = [&](int64_t i, int worker) {
    const int64_t cell = i % cells, part = i / cells % parts, g = i / cells / parts;
    const int64_t begin = part * each, end = least(positions, begin + each);
    Side xs = x, ys = y;
    xs.data += g * s.cg;
    ys.data += g * s.og;
    float* const to = direct ? dw : partial + part * stride;
    const Product product{transposed ? ys : xs, transposed ? xs : ys, positions,
                          to + (transposed ? g * s.og * window : g * s.og), transposed ? window : s.oc};
    const int64_t row = cell % grid.rows, column = cell / grid.rows;
    product.run(exec, worker, grid.rowBegin(row), least(product.a.places, grid.rowBegin(row + 1)), grid.columnBegin(column),
                least(product.b.places, grid.columnBegin(column + 1)), begin, end);
    if (db == nullptr || g != 0) return;
    const int64_t o0 = s.oc * cell / cells, o1 = s.oc * (cell + 1) / cells;
    if (o0 < o1) sumRows(dy, begin, end, s.oc, o0, o1, direct ? db : to + weights);
  };
  const int64_t tasks = s.groups * parts * cells;
  if (work * s.groups < 2 * kSerialWork)
    for (int64_t i = 0; i < tasks; ++i) task(i, Exec::kShared);
  else parallel(exec, tasks, task);
  if (direct) return;

  if (db != nullptr)
    for (int64_t o = 0; o < s.oc; ++o) {
      float sum = partial[weights + o];
      for (int64_t part = 1; part < parts; ++part) sum += partial[part * stride + weights + o];
      db[o] = accumulate ? db[o] + sum : sum;
    }
  if (!transposed) {
    parallelRange(exec, weights, 16384, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        float sum = partial[i];
        for (int64_t part = 1; part < parts; ++part) sum += partial[part * stride + i];
        dw[i] = accumulate ? dw[i] + sum : sum;
      }
    });
    return;
  }
  const int64_t columnBlocks = ceilDiv(s.og, kTileColumns), rowBlocks = ceilDiv(window, kCopyRows);
  parallelRange(exec, s.groups * columnBlocks * rowBlocks, 1 + 16384 / (kCopyRows * kTileColumns * parts),
                [&](int64_t begin, int64_t end, int) {
                  for (int64_t i = begin; i < end; ++i) {
                    const int64_t m = i % rowBlocks * kCopyRows, o = i / rowBlocks % columnBlocks * kTileColumns;
                    const int64_t g = i / rowBlocks / columnBlocks;
                    copyTransposed(partial + (g * s.og + o) * window + m, parts, stride, window, least(kCopyRows, window - m),
                                   least(kTileColumns, s.og - o), accumulate, dw + m * s.oc + g * s.og + o, s.oc);
                  }
                });
}

}  // namespace anneal::ANNEAL_ISA
