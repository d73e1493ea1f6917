// Forward and backward-data row by row: tiles of neighbouring positions by vectors of output channels, as in
// ../sgemm/window_product.h.
//
// Forward, and backward-data of stride 1, which is the same with weights rotated and transposed: a task pads the rows of
// the image it needs into scratch, and leaves out the rows of a window that lie outside. That is worth it where windows
// reach far outside: the first and last rows of a 5x5 over 28 rows are 4% of the work, over 14 rows 9%.
//
// Backward-data to few channels: for each row of dy the product with the weights, T[position, (p, q, c)], whose KH KW C
// columns fill tiles that C alone would not; then each row of dx gathers what it is due. The rows of T that reach it are
// added, tap row by tap row; the windows they hold overlap in dx, so they go to as many rows as it takes for them not to,
// which are added up. No order depends on how the work is cut. T is a ring of rows in L2.
#include "in_place.h"

#include "windows.h"

namespace anneal::ANNEAL_ISA {
namespace in_place {
namespace {

constexpr int64_t kMostDepth = 2048;          // a panel of weights then takes up to 256 KB of L2
constexpr int64_t kLeastPositions = 4;        // a tile of fewer rows waits for its own sums
constexpr int64_t kLeftOut = 25;              // one part in so many of all rows of windows has to lie outside
constexpr int64_t kMostTapRows = 16, kMostSlots = 32;
constexpr int64_t kMostRingFloats = 1 << 17;  // 512 KB, half of L2
constexpr int64_t kMostTapWeights = 1 << 19;  // 2 MB, which every position meets
constexpr int64_t kTaskWork = 1 << 20;        // multiply-adds of a task at least: 10 us

// B's panels, packed: kTileColumns wide each.
struct Panels {
  const float* packed;
  int64_t depth, columns;
};

template <class PackB>
static Panels packAll(Exec& exec, const PackB& packB, int64_t depth, int64_t columns) {
  const int64_t panels = ceilDiv(columns, kTileColumns), floats = depth * kTileColumns;
  auto* const to = static_cast<float*>(exec.scratch(Exec::kShared, 0, static_cast<size_t>(panels * floats) * 4));
  parallelRange(exec, panels, 1 + 32768 / floats, [&](int64_t begin, int64_t end, int) {
    packPanels<kTileColumns>(packB, begin * kTileColumns, least(columns, end * kTileColumns), 0, depth, to + begin * floats);
  });
  return {to, depth, columns};
}

// Neighbouring positions of a row, and the segments of each window.
struct RowOfWindows {
  const float* first;
  int64_t step, count;
  Segments segments;
  int64_t segmentCount;
};

// All columns of one row of positions, panel by panel, from depth `skip` on. With `fetch`, the lines of y
// that the next tile writes are fetched while sums are made: y is often larger than the cache.
static void multiplyRow(const RowOfWindows& a, const Panels& b, int64_t skip, TileStore s, bool fetch) {
  const Pieces tiles(a.count, kTileRows);
  float* const y = s.c;
  const float* const bias = s.bias;
  for (int64_t j = 0; j < b.columns; j += kTileColumns) {
    const int64_t columns = least(kTileColumns, b.columns - j);
    const int vectors = static_cast<int>(ceilDiv(columns, kLanes));
    const float* const panel = b.packed + j * b.depth + skip * kTileColumns;
    s.bias = bias == nullptr ? nullptr : bias + j;
    s.lastColumns = static_cast<int>(columns - (vectors - 1) * kLanes);
    for (int64_t t = 0; t < tiles.count; ++t) {
      const int64_t first = tiles.begin(t), rows = tiles.size(t);
      s.c = y + first * s.ldc + j;
      if (fetch)
        for (int64_t i = rows; i < 2 * rows; ++i)
          for (int64_t o = 0; o < columns; o += 16) __builtin_prefetch(s.c + i * s.ldc + o, 1);
      windowTileFor(static_cast<int>(rows), vectors)(a.first + first * a.step, a.step, a.segments, a.segmentCount, panel,
                                                     s);
    }
  }
}

// Rows of an image to a task: enough work, and tasks for every thread. Where an image is cut does not change its values.
static int64_t rowsOfTask(Exec& exec, int64_t images, int64_t rows, double workOfRow) {
  const int64_t wanted = ceilDiv(4 * exec.threads(), images);
  const int64_t byThreads = ceilDiv(rows, wanted), byWork = static_cast<int64_t>(kTaskWork / workOfRow) + 1;
  return least(rows, most(byThreads, byWork));
}

// What is left out shows where a weight is not finite, by 0 times which padding would not be 0: such are for the others.
static bool allFinite(const float* w, int64_t count) {
  vf zeros{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) zeros += load(w + i) - load(w + i);
  const vf rest = loadPartial(w + i, static_cast<int>(count - i));
  return sum(zeros + (rest - rest)) == 0.0f;
}

// The rows [first, end) of the window that lie in the image, for the windows of row a of the output.
struct RowsInside {
  int64_t first, end;
};
static RowsInside rowsInside(const RowShape& s, int64_t a) {
  const int64_t from = a * s.sh - s.top;
  const int64_t first = from < 0 ? least(ceilDiv(-from, s.dh), s.kh) : 0;
  const int64_t end = from < s.h ? least(s.kh, (s.h - 1 - from) / s.dh + 1) : 0;
  return {first, most(first, end)};
}

static bool worthLeavingOut(const RowShape& s) {
  if (s.ow < kLeastPositions || s.kh * s.run > kMostDepth) return false;
  int64_t outside = 0;
  for (int64_t a = 0; a < s.oh; ++a) outside += s.kh - (rowsInside(s, a).end - rowsInside(s, a).first);
  return outside * kLeftOut >= s.oh * s.kh;
}

// y = activation(bias + the windows of x times the weights)
static void convolve(Exec& exec, const RowShape& s, const float* x, const Panels& weights, const float* bias,
                     Activation activation, float* y) {
  auto* const offsets = static_cast<int64_t*>(exec.scratch(Exec::kShared, 3, static_cast<size_t>(s.kh) * 8));
  const int64_t rowFloats = (s.padsRows() ? s.wp : s.w) * s.c;
  for (int64_t p = 0; p < s.kh; ++p) offsets[p] = p * s.dh * rowFloats;
  const int64_t rowsEach = rowsOfTask(exec, s.n, s.oh, static_cast<double>(s.ow * weights.depth) * s.oc);
  const int64_t tasks = ceilDiv(s.oh, rowsEach);
  parallel(exec, s.n * tasks, [&](int64_t task, int worker) {
    const int64_t n = task / tasks, begin = task % tasks * rowsEach, end = least(s.oh, begin + rowsEach);
    // The rows of the image that this task's windows touch.
    const int64_t low = most(0, begin * s.sh - s.top);
    const int64_t high = least(s.h, (end - 1) * s.sh - s.top + (s.kh - 1) * s.dh + 1);
    const float* rows = x + (n * s.h + low) * s.w * s.c;
    if (s.padsRows() && high > low) {
      auto* const to =
          static_cast<float*>(exec.scratch(worker, 1, static_cast<size_t>((high - low) * rowFloats) * 4));
      for (int64_t i = low; i < high; ++i) padRow(s, x + (n * s.h + i) * s.w * s.c, to + (i - low) * rowFloats);
      rows = to;
    }
    for (int64_t a = begin; a < end; ++a) {
      const RowsInside inside = rowsInside(s, a);
      const int64_t count = inside.end - inside.first, from = a * s.sh - s.top + inside.first * s.dh - low;
      const RowOfWindows windows{count > 0 ? rows + from * rowFloats : rows, s.step, s.ow, {offsets, s.run}, count};
      multiplyRow(windows, weights, inside.first * s.run,
                  {y + (n * s.oh + a) * s.ow * s.oc, s.oc, bias, activation, false, true, kLanes}, true);
    }
  });
}

// Runs of T, one for each position of a row, and where they go.
struct Runs {
  int64_t width;   // floats from a position of T to the next
  int64_t length;  // of a run, whole vectors
  int64_t step;    // floats from a run's place in dx to the next one's
  int64_t lanes;   // rows that hold the runs apart
  int64_t laneFloats;
  vi inside;       // what of the last vector belongs to the run
};

// Row position % lanes of `apart`, at position * step: the run at that position, summed over `count` rows of T.
template <int Count>
static void gatherRuns(const float* const* from, int64_t count, const Runs& r, int64_t positions, float* apart) {
  const int64_t rows = Count > 0 ? Count : count, last = r.length - kLanes;
  float* lane = apart;
  for (int64_t b = 0, next = 0; b < positions; ++b) {
    const int64_t at = b * r.width;
    float* const out = lane + b * r.step;
    for (int64_t k = 0; k <= last; k += kLanes) {
      vf sum = load(from[0] + at + k);
      for (int64_t i = 1; i < rows; ++i) sum += load(from[i] + at + k);
      store(out + k, k == last ? select(r.inside, sum, vf{}) : sum);
    }
    lane += r.laneFloats;
    if (++next == r.lanes) {
      next = 0;
      lane = apart;
    }
  }
}

using GatherFn = void (*)(const float* const* from, int64_t count, const Runs& r, int64_t positions, float* apart);
static inline GatherFn gatherFor(int64_t count) {
  static constexpr GatherFn known[] = {gatherRuns<0>, gatherRuns<1>, gatherRuns<2>,
                                       gatherRuns<3>, gatherRuns<4>, gatherRuns<5>};
  return count <= 5 ? known[count] : known[0];
}

// Backward-data by way of T.
static bool backwardDataByTaps(Exec& exec, const RowShape& s, const float* dy, const float* w, float* dx) {
  const int64_t columns = s.kh * s.run, width = roundUp(columns, kLanes), tFloats = s.ow * width;
  const int64_t slots = ceilDiv((s.kh - 1) * s.dh + 1, s.sh);  // rows of dy that can reach one row of dx
  if (s.kh > kMostTapRows || slots > kMostSlots || slots * tFloats > kMostRingFloats || s.oc * width > kMostTapWeights ||
      (s.kh * s.kw == 1 && s.c >= kLanes)) return false;
  // Columns are stored to the end of a vector: what is too much is masked when it is gathered.
  const Panels weights = packAll(exec, MatrixPacker<kTileColumns>{w, s.oc, false}, s.oc, columns);
  const int64_t noOffset = 0;

  const int64_t runWidth = roundUp(s.run, kLanes), lanes = ceilDiv(s.run, s.step);
  const int64_t reach = (s.ow - 1) * s.step + runWidth, seen = (s.left + s.w) * s.c;
  const int64_t laneFloats = roundUp((reach > seen ? reach : seen) + kLanes, kLanes);
  alignas(64) int32_t order[kLanes];
  for (int i = 0; i < kLanes; ++i) order[i] = i;
  const Runs runs{width, runWidth, s.step, lanes, laneFloats,
                  loadi(order) < splati(static_cast<int32_t>(s.run - (runWidth - kLanes)))};

  const int64_t rowsEach = rowsOfTask(exec, s.n, s.h, static_cast<double>(s.ow * columns) * s.oc / s.sh);
  const int64_t tasks = ceilDiv(s.h, rowsEach);
  parallel(exec, s.n * tasks, [&](int64_t task, int worker) {
    const int64_t n = task / tasks, begin = task % tasks * rowsEach, end = least(s.h, begin + rowsEach);
    auto* const ring = static_cast<float*>(
        exec.scratch(worker, 1, static_cast<size_t>(slots * tFloats + runWidth + lanes * laneFloats) * 4));
    float* const apart = ring + slots * tFloats + runWidth;
    std::memset(apart, 0, static_cast<size_t>(lanes * laneFloats) * 4);
    int64_t held[kMostSlots];  // the row of dy whose product each slot of the ring holds
    for (int64_t& row : held) row = -1;
    for (int64_t i = begin; i < end; ++i) {
      // Rows of dy that reach row i: a * sh = i + top - p * dh.
      const float* from[kMostTapRows];
      int64_t count = 0;
      for (int64_t tap = s.kh - 1; tap >= 0; --tap) {
        const int64_t at = i + s.top - tap * s.dh;
        if (at < 0 || at % s.sh != 0 || at / s.sh >= s.oh) continue;
        const int64_t a = at / s.sh, slot = a % slots;
        float* const t = ring + slot * tFloats;
        if (held[slot] != a) {
          multiplyRow({dy + (n * s.oh + a) * s.ow * s.oc, s.oc, s.ow, {&noOffset, s.oc}, 1}, {weights.packed, s.oc, width},
                      0, {t, width, nullptr, Activation::none, false, true, kLanes}, false);
          held[slot] = a;
        }
        from[count++] = t + tap * s.run;
      }
      const int64_t floats = s.w * s.c;
      float* const to = dx + (n * s.h + i) * floats;
      if (count == 0) {
        std::memset(to, 0, static_cast<size_t>(floats) * 4);
        continue;
      }
      gatherFor(count)(from, count, runs, s.ow, apart);
      const float* const start = apart + s.left * s.c;
      for (int64_t k = 0; k < floats; k += kLanes) {
        vf sum = load(start + k);
        for (int64_t lane = 1; lane < lanes; ++lane) sum += load(start + lane * laneFloats + k);
        if (k + kLanes <= floats) store(to + k, sum);
        else storePartial(to + k, sum, static_cast<int>(floats - k));
      }
    }
  });
  return true;
}

}  // namespace
}  // namespace in_place

using namespace in_place;

bool conv2dInPlace(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const RowShape s(p);
  if (p.groups != 1 || p.dilationW != 1 || s.n * s.oh == 0 || !worthLeavingOut(s)) return false;
  const float* const w = call.input<float>(1);
  const int64_t depth = s.kh * s.run;
  if (!allFinite(w, depth * s.oc)) return false;
  const Panels weights = packAll(call.exec, MatrixPacker<kTileColumns>{w, s.oc, true}, depth, s.oc);
  convolve(call.exec, s, call.input<float>(0), weights, call.nIn > 2 ? call.input<float>(2) : nullptr,
           static_cast<Activation>(p.activation), call.output<float>(0));
  return true;
}

bool conv2dBackwardDataInPlace(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const RowShape s(p);
  if (p.groups != 1 || p.dilationW != 1 || s.ow < kLeastPositions || s.n * s.oh * s.h * s.w == 0) return false;
  const float *const dy = call.input<float>(0), *const w = call.input<float>(1);
  float* const dx = call.output<float>(0);
  const bool fills = 4 * s.c >= 3 * roundUp(s.c, kLanes);  // the channels of dx fill vectors
  if (!fills) return allFinite(w, s.kh * s.run * s.oc) && backwardDataByTaps(call.exec, s, dy, w, dx);

  RowShape t = s;  // the convolution of dy that gives dx when strides are 1
  t.h = s.oh, t.w = s.ow, t.c = s.oc, t.oh = s.h, t.ow = s.w, t.oc = s.c;
  t.top = (s.kh - 1) * s.dh - s.top, t.left = s.kw - 1 - s.left;
  t.derive();
  if (s.sh != 1 || s.sw != 1 || t.left < 0 || !worthLeavingOut(t) || !allFinite(w, s.kh * s.run * s.oc)) return false;
  const int64_t taps = s.kh * s.kw;
  auto* const rotated = static_cast<int64_t*>(call.exec.scratch(Exec::kShared, 2, static_cast<size_t>(taps) * 8));
  for (int64_t i = 0; i < taps; ++i) rotated[i] = taps - 1 - i;
  const Panels weights =
      packAll(call.exec, TransposedWeightPacker{w, rotated, s.c, s.oc, s.oc}, t.kh * t.run, s.c);
  convolve(call.exec, t, dy, weights, nullptr, Activation::none, dx);
  return true;
}

}  // namespace anneal::ANNEAL_ISA
