// CPU body of reduce. Neighbouring dimensions that are both kept or both reduced are merged first; then the innermost
// one decides: reduced -> fold rows (lanes along the row), kept -> fold columns (lanes across outputs).
#include "reduce.h"

#include "../common/parallel.h"
#include "functions.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t kRowUnit = 4096;     // items whose lanes are folded in T before their total goes on in Total<T>
constexpr int64_t kColumnUnit = 256;   // rows likewise: the error of a block stays below 256 roundings
constexpr int64_t kColumnTile = 4096;  // columns whose accumulators stay in the L1 cache
constexpr int64_t kTaskItems = 32768;  // about what it takes for a task to outweigh waking a thread

// The reduced or the kept dimensions, outermost first, with their strides in x.
struct Axes {
  int rank = 0;
  int64_t dims[kReduceRank];
  int64_t strides[kReduceRank];

  int64_t count() const {
    int64_t n = 1;
    for (int d = 0; d < rank; ++d) n *= dims[d];
    return n;
  }
  int64_t offset(int64_t i) const {
    int64_t offset = 0;
    for (int d = rank - 1; d > 0; --d) {
      offset += i % dims[d] * strides[d];
      i /= dims[d];
    }
    return rank > 0 ? offset + i * strides[0] : 0;
  }
};

struct Plan {
  Axes kept, reduced;    // without the innermost dimension
  int64_t inner = 1;     // length of the innermost dimension
  bool byRows = true;    // whether that dimension is reduced
  int64_t outputs = 1;   // in all
  int64_t length = 1;    // items folded into each output
};

// The product of the dimensions that are reduced, or kept; 0 if one is, whatever the others are.
int64_t sizeOf(const ReduceParams& p, bool reduced) {
  const auto counts = [&](uint32_t d) { return ((p.axes >> d & 1) != 0) == reduced; };
  for (uint32_t d = 0; d < p.rank; ++d)
    if (counts(d) && p.dims[d] == 0) return 0;
  int64_t n = 1;
  for (uint32_t d = 0; d < p.rank; ++d)
    if (counts(d)) n *= p.dims[d];
  return n;
}

Plan planOf(const ReduceParams& p) {
  int64_t dims[kReduceRank];
  bool isReduced[kReduceRank];
  int rank = 0;
  Plan plan;
  plan.length = sizeOf(p, true);
  plan.outputs = sizeOf(p, false);
  if (plan.length == 0 || plan.outputs == 0) return plan;
  for (uint32_t d = 0; d < p.rank; ++d) {
    const bool reduced = (p.axes >> d & 1) != 0;
    if (p.dims[d] == 1) continue;
    if (rank > 0 && isReduced[rank - 1] == reduced) {
      dims[rank - 1] *= p.dims[d];
    } else {
      dims[rank] = p.dims[d];
      isReduced[rank++] = reduced;
    }
  }
  if (rank == 0) return plan;
  plan.inner = dims[rank - 1];
  plan.byRows = isReduced[rank - 1];
  int64_t strides[kReduceRank];
  int64_t stride = 1;
  for (int d = rank - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= dims[d];
  }
  for (int d = 0; d + 1 < rank; ++d) {
    Axes& axes = isReduced[d] ? plan.reduced : plan.kept;
    axes.dims[axes.rank] = dims[d];
    axes.strides[axes.rank++] = strides[d];
  }
  return plan;
}

// The rows of one output cut into units: a piece of a long row, or a group of short rows.
struct Units {
  int64_t rows, rowLength, piecesPerRow, rowsPerUnit, count, items;

  Units(int64_t rowCount, int64_t length) : rows(rowCount), rowLength(length) {
    piecesPerRow = (length + kRowUnit - 1) / kRowUnit;
    rowsPerUnit = length > kRowUnit ? 1 : kRowUnit / length;
    count = length > kRowUnit ? rows * piecesPerRow : (rows + rowsPerUnit - 1) / rowsPerUnit;
    items = rows * length / count + 1;
  }

  // f(row, begin, end) for each piece of a row in the unit.
  template <class F> void pieces(int64_t unit, const F& f) const {
    if (rowLength > kRowUnit) {
      const int64_t begin = unit % piecesPerRow * kRowUnit;
      f(unit / piecesPerRow, begin, begin + kRowUnit < rowLength ? begin + kRowUnit : rowLength);
      return;
    }
    const int64_t first = unit * rowsPerUnit;
    const int64_t last = first + rowsPerUnit < rows ? first + rowsPerUnit : rows;
    for (int64_t row = first; row < last; ++row) f(row, 0, rowLength);
  }
};

// Folds by rows: Acc is what a unit yields, fold(x + offset, index of the first item, n) gives one for a piece.
template <class Acc, class T, class Fold, class Merge, class Write>
void reduceRows(Exec& exec, const Plan& plan, const T* x, const Fold& fold, const Merge& merge, const Write& write) {
  const Units units(plan.reduced.count(), plan.inner);
  const auto unitOf = [&](int64_t k, int64_t unit) {
    const T* base = x + plan.kept.offset(k);
    Acc acc{};
    bool first = true;
    units.pieces(unit, [&](int64_t row, int64_t begin, int64_t end) {
      const Acc next = fold(base + plan.reduced.offset(row) + begin, row * plan.inner + begin, end - begin);
      acc = first ? next : merge(acc, next);
      first = false;
    });
    return acc;
  };
  const int64_t grain = kTaskItems / units.items + 1;
  if (units.count == 1) {
    parallelRange(exec, plan.outputs, grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t k = begin; k < end; ++k) write(k, unitOf(k, 0));
    });
    return;
  }
  const int64_t total = plan.outputs * units.count;
  Acc* partial = static_cast<Acc*>(exec.scratch(Exec::kShared, 0, static_cast<size_t>(total) * sizeof(Acc)));
  parallelRange(exec, total, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) partial[i] = unitOf(i / units.count, i % units.count);
  });
  parallelRange(exec, plan.outputs, kTaskItems / units.count + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t k = begin; k < end; ++k) {
      Acc acc = partial[k * units.count];
      for (int64_t u = 1; u < units.count; ++u) acc = merge(acc, partial[k * units.count + u]);
      write(k, acc);
    }
  });
}

// Cuts the columns of every kept row into tiles and the reduced rows into blocks.
// block(tile accumulators, x at the tile, first row, last row, columns) folds one; finish(acc, blocks, distance between
// their accumulators, first output, columns) combines them. An accumulator takes kWords 4-byte words.
template <int kWords, class T, class Block, class Finish>
void reduceColumns(Exec& exec, const Plan& plan, const T* x, const Block& block, const Finish& finish) {
  const int64_t rows = plan.reduced.count();
  const int64_t blocks = (rows + kColumnUnit - 1) / kColumnUnit;
  const int64_t tiles = (plan.inner + kColumnTile - 1) / kColumnTile;
  const int64_t stripes = plan.kept.count() * tiles;
  const int64_t columns = plan.inner < kColumnTile ? plan.inner : kColumnTile;
  const int64_t words = kWords * columns;
  const auto run = [&](int64_t stripe, int64_t b, int32_t* acc) {
    const int64_t c = stripe % tiles * kColumnTile;
    const int64_t last = (b + 1) * kColumnUnit < rows ? (b + 1) * kColumnUnit : rows;
    const int64_t n = plan.inner - c < kColumnTile ? plan.inner - c : kColumnTile;
    block(acc, x + plan.kept.offset(stripe / tiles) + c, b * kColumnUnit, last, n);
  };
  const auto close = [&](int64_t stripe, const int32_t* acc) {
    const int64_t c = stripe % tiles * kColumnTile;
    const int64_t n = plan.inner - c < kColumnTile ? plan.inner - c : kColumnTile;
    finish(acc, blocks, words, stripe / tiles * plan.inner + c, n);
  };
  const int64_t blockRows = rows < kColumnUnit ? rows : kColumnUnit;
  const int64_t grain = kTaskItems / (blockRows * columns) + 1;
  if (blocks == 1) {
    parallelRange(exec, stripes, grain, [&](int64_t begin, int64_t end, int) {
      alignas(64) unsigned char storage[kWords * kColumnTile * 4];
      auto* acc = reinterpret_cast<int32_t*>(storage);
      for (int64_t s = begin; s < end; ++s) {
        run(s, 0, acc);
        close(s, acc);
      }
    });
    return;
  }
  auto* partial =
      static_cast<int32_t*>(exec.scratch(Exec::kShared, 0, static_cast<size_t>(stripes * blocks * words) * 4));
  parallelRange(exec, stripes * blocks, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) run(i / blocks, i % blocks, partial + i * words);
  });
  parallelRange(exec, stripes, kTaskItems / (blocks * columns) + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t s = begin; s < end; ++s) close(s, partial + s * blocks * words);
  });
}

template <class F, class T> void foldColumns(T* acc, const T* x, const Axes& reduced, int64_t first, int64_t last,
                                             int64_t columns) {
  for (int64_t c = 0; c < columns; ++c) acc[c] = F::template identity<T>();
  int64_t r = first;
  for (; r + 4 <= last; r += 4) {
    const T* x0 = x + reduced.offset(r);
    const T* x1 = x + reduced.offset(r + 1);
    const T* x2 = x + reduced.offset(r + 2);
    const T* x3 = x + reduced.offset(r + 3);
    int64_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) {
      const auto low = F::step(F::step(loadVector(acc + c), loadVector(x0 + c)), loadVector(x1 + c));
      storeVector(acc + c, F::step(F::step(low, loadVector(x2 + c)), loadVector(x3 + c)));
    }
    for (; c < columns; ++c) acc[c] = F::step(F::step(F::step(F::step(acc[c], x0[c]), x1[c]), x2[c]), x3[c]);
  }
  for (; r < last; ++r) {
    const T* row = x + reduced.offset(r);
    int64_t c = 0;
    for (; c + kLanes <= columns; c += kLanes)
      storeVector(acc + c, F::step(loadVector(acc + c), loadVector(row + c)));
    for (; c < columns; ++c) acc[c] = F::step(acc[c], row[c]);
  }
}

template <class F, class T> void fold(const OpCall& call, const Plan& plan, double scale) {
  const T* x = call.input<T>(0);
  T* out = call.output<T>(0);
  const bool accumulate = call.as<ReduceParams>().accumulate != 0;
  const auto write = [&](int64_t k, Total<T> total) {
    if constexpr (sizeof(Total<T>) == 8) {
      const T value = static_cast<T>(scale == 1 ? total : total / scale);
      out[k] = accumulate ? out[k] + value : value;
    } else {
      out[k] = total;
    }
  };
  if (plan.length == 0) {
    for (int64_t k = 0; k < plan.outputs; ++k) write(k, F::template identity<T>());
    return;
  }
  if (plan.byRows) {
    reduceRows<Total<T>>(
        call.exec, plan, x, [](const T* row, int64_t, int64_t n) { return foldRow<F>(row, n); },
        [](Total<T> a, Total<T> b) { return F::merge(a, b); }, write);
    return;
  }
  reduceColumns<1>(
      call.exec, plan, x,
      [&](int32_t* acc, const T* tile, int64_t first, int64_t last, int64_t columns) {
        foldColumns<F>(reinterpret_cast<T*>(acc), tile, plan.reduced, first, last, columns);
      },
      [&](const int32_t* acc, int64_t blocks, int64_t distance, int64_t k, int64_t columns) {
        for (int64_t c = 0; c < columns; ++c) {
          const T* partial = reinterpret_cast<const T*>(acc) + c;
          Total<T> total = partial[0];
          for (int64_t b = 1; b < blocks; ++b) total = F::merge(total, static_cast<Total<T>>(partial[b * distance]));
          write(k + c, total);
        }
      });
}

template <class T> struct Winner {
  T value;
  int64_t index;
};

template <class F, class T> Winner<T> rowWinner(const T* x, int64_t firstIndex, int64_t n) {
  const T best = static_cast<T>(foldRow<F>(x, n));
  int64_t i = 0;
  if (best == best) {
    while (i + 1 < n && x[i] != best) ++i;
  } else {
    while (i + 1 < n && x[i] == x[i]) ++i;
  }
  return {best, firstIndex + i};
}

// The best item of each column and the row it is in; the first of equals.
template <class F, class T> void columnWinners(T* best, int32_t* index, const T* x, const Axes& reduced, int64_t first,
                                               int64_t last, int64_t columns) {
  const T* row = x + reduced.offset(first);
  for (int64_t c = 0; c < columns; ++c) {
    best[c] = row[c];
    index[c] = static_cast<int32_t>(first);
  }
  for (int64_t r = first + 1; r < last; ++r) {
    row = x + reduced.offset(r);
    const vi at = splati(static_cast<int32_t>(r));
    int64_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) {
      const auto item = loadVector(row + c);
      const auto old = loadVector(best + c);
      const vi wins = F::beats(item, old);
      storeVector(best + c, wins ? item : old);
      storeVector(index + c, wins ? at : loadVector(index + c));
    }
    for (; c < columns; ++c) {
      if (!F::beats(row[c], best[c])) continue;
      best[c] = row[c];
      index[c] = static_cast<int32_t>(r);
    }
  }
}

template <class F, class T> void winners(const OpCall& call, const Plan& plan) {
  const T* x = call.input<T>(0);
  int32_t* out = call.output<int32_t>(0);
  if (plan.byRows) {
    reduceRows<Winner<T>>(
        call.exec, plan, x, [](const T* row, int64_t index, int64_t n) { return rowWinner<F>(row, index, n); },
        [](const Winner<T>& a, const Winner<T>& b) { return F::beats(b.value, a.value) ? b : a; },
        [&](int64_t k, const Winner<T>& winner) { out[k] = static_cast<int32_t>(winner.index); });
    return;
  }
  reduceColumns<2>(
      call.exec, plan, x,
      [&](int32_t* acc, const T* tile, int64_t first, int64_t last, int64_t columns) {
        columnWinners<F>(reinterpret_cast<T*>(acc), acc + columns, tile, plan.reduced, first, last, columns);
      },
      [&](const int32_t* acc, int64_t blocks, int64_t distance, int64_t k, int64_t columns) {
        for (int64_t c = 0; c < columns; ++c) {
          const int32_t* winner = acc;
          for (int64_t b = 1; b < blocks; ++b) {
            const int32_t* next = acc + b * distance;
            if (F::beats(reinterpret_cast<const T*>(next)[c], reinterpret_cast<const T*>(winner)[c])) winner = next;
          }
          out[k + c] = winner[columns + c];
        }
      });
}

}  // namespace

void reduce(const OpCall& call) {
  const auto& p = call.as<ReduceParams>();
  const Plan plan = planOf(p);
  if (plan.outputs == 0) return;
  const bool floats = p.dtype == 0;
  switch (static_cast<ReduceCode>(p.code)) {
    case ReduceCode::sum: return floats ? fold<Sum, float>(call, plan, 1) : fold<Sum, uint32_t>(call, plan, 1);
    case ReduceCode::mean: return fold<Sum, float>(call, plan, static_cast<double>(plan.length));
    case ReduceCode::max: return floats ? fold<Maximum, float>(call, plan, 1) : fold<Maximum, int32_t>(call, plan, 1);
    case ReduceCode::min: return floats ? fold<Minimum, float>(call, plan, 1) : fold<Minimum, int32_t>(call, plan, 1);
    case ReduceCode::prod: return floats ? fold<Product, float>(call, plan, 1) : fold<Product, uint32_t>(call, plan, 1);
    case ReduceCode::argmax: return floats ? winners<Maximum, float>(call, plan) : winners<Maximum, int32_t>(call, plan);
    case ReduceCode::argmin: return floats ? winners<Minimum, float>(call, plan) : winners<Minimum, int32_t>(call, plan);
    case ReduceCode::sum_squares:
      return floats ? fold<SumSquares, float>(call, plan, 1) : fold<SumSquares, uint32_t>(call, plan, 1);
    case ReduceCode::count: break;
  }
}

}  // namespace anneal::ANNEAL_ISA
