// reduce on CUDA (contract: reduce.h). One flop and 4 bytes an item: memory binds.
//
// rows_*   The reduced dimensions come last: 8 lanes, a warp or a block of 256 an output, its lanes side by side, 16 bytes a lane and
//          access where rows start on boundaries of that.
// columns  The reduced dimensions are neighbours with `inner` kept items behind: threads side by side take neighbouring columns, four
//          each where they can, and the rest of the block other rows, met in shared memory.
// *_anywhere  Reduced and kept dimensions alternate further: a place is a
//          digit of each; a warp an output where the last
//          dimension is reduced, else a thread.
// finish   Where few outputs have many items, several blocks share one (`parts`, from the shape alone): what each found, in order.
//
// Numbers  f32. A thread adds 32 items at most to a part before that is added to its total; threads, warps and parts are added as trees. So
//          an error grows with the logarithm of the length, until a thread has some thousand items.
#include "reduce.cuda.h"
#include "../common/cuda.cuh"

namespace anneal::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kPart = 32;

// ---- What a code makes of items: State, identity, item(word, place), merge, and the word of an output ----

// Sums, means and sums of squares of f32.
struct Sum {
  using State = float;
  const bool squares, mean;

  ANNEAL_GPU explicit Sum(const ReduceArgs& args)
      : squares(args.code == static_cast<uint32_t>(ReduceCode::sum_squares)),
        mean(args.code == static_cast<uint32_t>(ReduceCode::mean)) {}
  ANNEAL_GPU State identity() const { return 0; }
  ANNEAL_GPU State item(uint32_t word, int64_t) const {
    const float x = __uint_as_float(word);
    return squares ? __fmul_rn(x, x) : x;
  }
  ANNEAL_GPU State merge(State a, State b) const { return __fadd_rn(a, b); }
  ANNEAL_GPU uint32_t word(State a, const ReduceArgs& args, int64_t k) const {
    if (mean) a /= static_cast<float>(args.length);
    if (args.accumulate != 0) a = __fadd_rn(a, __uint_as_float(args.out[k]));
    return __float_as_uint(a);
  }
};

// Products of f32, and arithmetic of i32.
struct Other {
  using State = uint32_t;
  const bool isFloat, squares, product;

  ANNEAL_GPU explicit Other(const ReduceArgs& args)
      : isFloat(args.dtype == 0),
        squares(args.code == static_cast<uint32_t>(ReduceCode::sum_squares)),
        product(args.code == static_cast<uint32_t>(ReduceCode::prod)) {}
  ANNEAL_GPU State identity() const { return isFloat ? __float_as_uint(1) : product ? 1 : 0; }
  ANNEAL_GPU State item(uint32_t word, int64_t) const { return squares ? word * word : word; }
  ANNEAL_GPU State merge(State a, State b) const {
    if (isFloat) return __float_as_uint(__fmul_rn(__uint_as_float(a), __uint_as_float(b)));
    return product ? a * b : a + b;
  }
  ANNEAL_GPU uint32_t word(State a, const ReduceArgs&, int64_t) const { return a; }
};

// Extremes: a number that is the larger the better the item is, above the complement of its place, so that the first of equals wins. NaN
// is above all; zeros of either sign are equal where their place is asked for.
struct Extreme {
  using State = uint64_t;
  const bool isFloat, largest, place;

  ANNEAL_GPU explicit Extreme(const ReduceArgs& args)
      : isFloat(args.dtype == 0),
        largest(args.code == static_cast<uint32_t>(ReduceCode::argmax) || args.code == static_cast<uint32_t>(ReduceCode::max)),
        place(args.code == static_cast<uint32_t>(ReduceCode::argmax) || args.code == static_cast<uint32_t>(ReduceCode::argmin)) {}
  ANNEAL_GPU State identity() const { return 0; }
  ANNEAL_GPU State item(uint32_t word, int64_t at) const {
    uint32_t key = word ^ 0x80000000u;
    if (isFloat) {
      if (place && word == 0x80000000u) word = 0;
      key = (word & 0x80000000u) != 0 ? ~word : word | 0x80000000u;
    }
    if (!largest) key = ~key;
    if (isFloat && (word & 0x7fffffffu) > 0x7f800000u) key = 0xffffffffu;
    return static_cast<uint64_t>(key) << 32 | ~static_cast<uint32_t>(at);
  }
  ANNEAL_GPU State merge(State a, State b) const { return a > b ? a : b; }
  ANNEAL_GPU uint32_t word(State a, const ReduceArgs&, int64_t) const {
    if (place) return ~static_cast<uint32_t>(a);
    auto key = static_cast<uint32_t>(a >> 32);
    if (isFloat && key == 0xffffffffu) return 0x7fc00000u;
    if (!largest) key = ~key;
    if (!isFloat) return key ^ 0x80000000u;
    return (key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key;
  }
};

// Calls f with what the code asks for.
template <class F> ANNEAL_GPU void withFold(const ReduceArgs& args, F f) {
  switch (static_cast<ReduceCode>(args.code)) {
    case ReduceCode::max:
    case ReduceCode::min:
    case ReduceCode::argmax:
    case ReduceCode::argmin: f(Extreme(args)); return;
    default: break;
  }
  if (args.dtype != 0 || args.code == static_cast<uint32_t>(ReduceCode::prod)) f(Other(args));
  else f(Sum(args));
}

// What one thread folds: parts of some items, then their total.
template <class Op> struct Total {
  typename Op::State part, total;
  int count = 0;

  Total() = default;
  ANNEAL_GPU explicit Total(const Op& op) : part(op.identity()), total(op.identity()) {}
  // After the items of each step.
  ANNEAL_GPU void step(const Op& op, int items) {
    count += items;
    if (count < kPart) return;
    total = op.merge(total, part);
    part = op.identity();
    count = 0;
  }
  ANNEAL_GPU typename Op::State end(const Op& op) const { return op.merge(total, part); }
};

ANNEAL_GPU uint64_t bitsOf(float a) { return __float_as_uint(a); }
ANNEAL_GPU uint64_t bitsOf(uint32_t a) { return a; }
ANNEAL_GPU uint64_t bitsOf(uint64_t a) { return a; }
template <class T> ANNEAL_GPU T stateOf(uint64_t bits) { return static_cast<T>(bits); }
template <> ANNEAL_GPU float stateOf<float>(uint64_t bits) { return __uint_as_float(static_cast<uint32_t>(bits)); }

template <class Op> ANNEAL_GPU void put(const Op& op, const ReduceArgs& args, int64_t k, int64_t part, typename Op::State folded) {
  if (args.parts == 1) args.out[k] = op.word(folded, args, k);
  else args.partial[k * args.parts + part] = bitsOf(folded);
}

ANNEAL_GPU int64_t lower(int64_t a, int64_t b) { return a < b ? a : b; }

// Items begin to below end of a row, by lanes side by side; 4 accesses before the first is used.
template <int Threads, bool Fours, class Op>
ANNEAL_GPU typename Op::State foldRow(const Op& op, const ReduceArgs& args, int64_t row, int64_t begin, int64_t end) {
  constexpr int kEach = Fours ? 4 : 1;
  constexpr int64_t kStep = Threads * kEach;
  Total<Op> total(op);
  const auto take = [&](int64_t i) {
    if constexpr (Fours) {
      const uint4 v = args.x.template as<uint4>(row + i);
      return v;
    } else {
      return make_uint4(args.x[row + i], 0, 0, 0);
    }
  };
  const auto add = [&](const uint4& v, int64_t i) {
    total.part = op.merge(total.part, op.item(v.x, i));
    if constexpr (Fours) {
      total.part = op.merge(total.part, op.item(v.y, i + 1));
      total.part = op.merge(total.part, op.item(v.z, i + 2));
      total.part = op.merge(total.part, op.item(v.w, i + 3));
    }
  };
  int64_t i = begin + teamLane<Threads>() * kEach;
  for (; i + 3 * kStep < end; i += 4 * kStep) {
    uint4 v[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) v[k] = take(i + k * kStep);
#pragma unroll
    for (int k = 0; k < 4; ++k) add(v[k], i + k * kStep);
    total.step(op, 4 * kEach);
  }
  for (; i < end; i += kStep) add(take(i), i);
  return total.end(op);
}

template <int Threads> ANNEAL_GPU void foldRows(const ReduceArgs& args) {
  const int64_t team = teamIndex<Threads>();
  const int64_t k = args.parts == 1 ? team : team / args.parts, part = args.parts == 1 ? 0 : team % args.parts;
  const bool there = k < args.outputs;
  const int64_t begin = part * args.partLength, end = there ? lower(begin + args.partLength, args.length) : 0;
  withFold(args, [&](auto op) {
    const int64_t row = k * args.length;
    auto folded = args.fours != 0 ? foldRow<Threads, true>(op, args, row, begin, end) : foldRow<Threads, false>(op, args, row, begin, end);
    folded = teamFold<Threads>(folded, [&](auto a, auto b) { return op.merge(a, b); });
    if (there && teamLane<Threads>() == 0) put(op, args, k, part, folded);
  });
}

// W columns from column `at` on of the item [outer, :, :], rows begin to below end by `down`.
template <int W, class Op> ANNEAL_GPU void foldColumns(const Op& op, const ReduceArgs& args) {
  const int across = static_cast<int>(args.across), down = kThreads / across;
  const int column = static_cast<int>(threadIdx.x) % across, lane = static_cast<int>(threadIdx.x) / across;
  const int64_t outer = blockIdx.x / args.tiles, c = W * (static_cast<int64_t>(blockIdx.x % args.tiles) * across + column);
  const int64_t part = blockIdx.y, begin = part * args.partLength, end = lower(begin + args.partLength, args.length);
  const int64_t base = outer * args.length * args.inner + c;
  Total<Op> totals[W];
#pragma unroll
  for (int w = 0; w < W; ++w) totals[w] = Total<Op>(op);
  const auto take = [&](int64_t row) {
    if constexpr (W == 4) {
      const uint4 v = args.x.template as<uint4>(base + row * args.inner);
      return v;
    } else {
      return make_uint4(args.x[base + row * args.inner], 0, 0, 0);
    }
  };
  const auto add = [&](const uint4& v, int64_t row) {
    const uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int w = 0; w < W; ++w) totals[w].part = op.merge(totals[w].part, op.item(words[w], row));
  };
  if (c < args.inner) {
    int64_t row = begin + lane;
    for (; row + 3 * down < end; row += 4 * down) {
      uint4 v[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) v[k] = take(row + k * down);
#pragma unroll
      for (int k = 0; k < 4; ++k) add(v[k], row + k * down);
#pragma unroll
      for (int w = 0; w < W; ++w) totals[w].step(op, 4);
    }
    for (; row < end; row += down) add(take(row), row);
  }
#pragma unroll
  for (int w = 0; w < W; ++w) {
    const auto folded =
        columnFold<kThreads>(totals[w].end(op), across, [&](typename Op::State a, typename Op::State b) { return op.merge(a, b); });
    if (lane == 0 && c < args.inner) put(op, args, outer * args.inner + c + w, part, folded);
  }
}

// Row-major place i over the dimensions of one kind: a digit of each.
struct Digits {
  int64_t digit[kReduceRuns];

  ANNEAL_GPU Digits(const ReduceWalk& walk, int64_t i) {
#pragma unroll
    for (int d = kReduceRuns - 1; d > 0; --d) {
      digit[d] = i % walk.dims[d];
      i /= walk.dims[d];
    }
    digit[0] = i;
  }
  ANNEAL_GPU void add(const ReduceWalk& walk, const Digits& by) {
    int64_t carry = 0;
#pragma unroll
    for (int d = kReduceRuns - 1; d > 0; --d) {
      digit[d] += by.digit[d] + carry;
      carry = digit[d] >= walk.dims[d] ? 1 : 0;
      if (carry != 0) digit[d] -= walk.dims[d];
    }
    digit[0] += by.digit[0] + carry;
  }
  ANNEAL_GPU int64_t offset(const ReduceWalk& walk) const {
    int64_t sum = 0;
#pragma unroll
    for (int d = 0; d < kReduceRuns; ++d) sum += digit[d] * walk.strides[d];
    return sum;
  }
};

// Neighbouring teams take neighbouring outputs.
template <int Threads> ANNEAL_GPU void foldAnywhere(const ReduceArgs& args) {
  const int64_t team = teamIndex<Threads>(), k = team % args.outputs, part = team / args.outputs;
  const bool there = part < args.parts;
  const int64_t begin = part * args.partLength, end = there ? lower(begin + args.partLength, args.length) : 0;
  const int64_t base = Digits(args.kept, k).offset(args.kept), first = begin + teamLane<Threads>();
  Digits digits(args.reduced, first);
  const Digits step(args.reduced, Threads);
  withFold(args, [&](auto op) {
    Total<decltype(op)> total(op);
    for (int64_t i = first; i < end; i += Threads) {
      total.part = op.merge(total.part, op.item(args.x[base + digits.offset(args.reduced)], i));
      total.step(op, 1);
      digits.add(args.reduced, step);
    }
    const auto folded = teamFold<Threads>(total.end(op), [&](auto a, auto b) { return op.merge(a, b); });
    if (there && teamLane<Threads>() == 0) put(op, args, k, part, folded);
  });
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256) rows_8(const ReduceArgs args) { foldRows<8>(args); }
extern "C" __global__ void __launch_bounds__(256) rows_32(const ReduceArgs args) { foldRows<32>(args); }
extern "C" __global__ void __launch_bounds__(256) rows_256(const ReduceArgs args) { foldRows<256>(args); }

extern "C" __global__ void __launch_bounds__(256) columns(const ReduceArgs args) {
  withFold(args, [&](auto op) {
    if (args.fours != 0) foldColumns<4>(op, args);
    else foldColumns<1>(op, args);
  });
}

extern "C" __global__ void __launch_bounds__(256) thread_anywhere(const ReduceArgs args) { foldAnywhere<1>(args); }
extern "C" __global__ void __launch_bounds__(256) warp_anywhere(const ReduceArgs args) { foldAnywhere<32>(args); }

// A warp an output.
extern "C" __global__ void __launch_bounds__(256) finish(const ReduceArgs args) {
  const int64_t k = teamIndex<32>();
  const bool there = k < args.outputs;
  withFold(args, [&](auto op) {
    auto folded = op.identity();
    if (there)
      for (int64_t part = teamLane<32>(); part < args.parts; part += 32)
        folded = op.merge(folded, stateOf<decltype(folded)>(args.partial[k * args.parts + part]));
    folded = teamFold<32>(folded, [&](auto a, auto b) { return op.merge(a, b); });
    if (there && teamLane<32>() == 0) args.out[k] = op.word(folded, args, k);
  });
}

}  // namespace anneal::cuda
