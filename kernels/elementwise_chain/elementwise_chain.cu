// elementwise_chain on CUDA (contract: elementwise_chain.h): an interpreter, since a kernel cannot be written for each chain here.
//
// A thread takes four items through all steps. It asks for all inputs at once, by 16 bytes each where all operands lie on a boundary of
// that (chain4), else its items lie a block's threads apart (chain1), and puts them into slots of its own in shared memory. What the
// step before gave is in registers; a result that a later step reads goes to a slot, an input's where nobody needs that any more. The
// host has planned this (elementwise_chain.cuda.cpp). Slots are private, so there is no barrier; 16 bytes a thread, neighbours side by
// side, have no conflicts of banks.
//
// A step costs a switch over its code, the same way for all threads, some ten instructions for four items, and moves 16 to 48 bytes
// in shared memory. So chains of arithmetic are bound by the memory of their operands up to some six steps, by the multiprocessors behind.
//
// The bits are those of the single ops: the same functions (elementwise/functions.cuh), and no compiler sees two steps together.
#include "../common/floats.cuh"
#include "../elementwise/functions.cuh"
#include "elementwise_chain.cuda.h"

namespace anneal::cuda {
namespace {

constexpr int W = kChainItems;
using Items = Floats<W>;

// Where the items of this thread lie. With Fours one access takes them, but for the last ones of all.
template <bool Fours> struct Place {
  int64_t first, count;

  ANNEAL_GPU int64_t at(int k) const { return first + (Fours ? k : k * static_cast<int64_t>(kChainThreads)); }
  ANNEAL_GPU bool whole() const { return Fours && first + W <= count; }

  ANNEAL_GPU Items load(const Span<const float>& from, bool single) const {
    if (whole() && !single) return from.as<Items>(first);
    Items items = zeros<W>();
#pragma unroll
    for (int k = 0; k < W; ++k)
      if (at(k) < count) items.at[k] = from[single ? 0 : at(k)];
    return items;
  }
  ANNEAL_GPU void store(const Span<float>& to, const Items& items) const {
    if (whole()) {
      to.as<Items>(first) = items;
      return;
    }
#pragma unroll
    for (int k = 0; k < W; ++k)
      if (at(k) < count) to[at(k)] = items.at[k];
  }
};

// The slots of this thread.
struct Slots {
  const Span<float>& items;

  ANNEAL_GPU Items& operator[](uint32_t slot) const { return items.as<Items>(W * (kChainThreads * slot + threadIdx.x)); }
};

ANNEAL_GPU Items operandOf(const Slots& slots, uint32_t from, const Items& previous, float scalar) {
  if (from == kPreviousResult) return previous;
  if (from != kScalarOperand) return slots[from];
  Items items;
#pragma unroll
  for (int k = 0; k < W; ++k) items.at[k] = scalar;
  return items;
}

template <bool Fours> ANNEAL_GPU void chain(const ChainArgs& args) {
  ANNEAL_SHARED_SPAN(float, shared, static_cast<int64_t>(args.slots) * W * kChainThreads);
  const Slots slots{shared};
  const int64_t block = static_cast<int64_t>(blockIdx.x) * W * kChainThreads;
  const Place<Fours> place{block + (Fours ? W : 1) * static_cast<int64_t>(threadIdx.x), args.count};
  if (place.first >= args.count) return;
  Items loaded[kChainInputs];
#pragma unroll
  for (uint32_t i = 0; i < kChainInputs; ++i)
    if (i < args.inputs) loaded[i] = place.load(args.in[i], (args.single >> i & 1) != 0);
#pragma unroll
  for (uint32_t i = 0; i < kChainInputs; ++i)
    if (i < args.inputs) slots[i] = loaded[i];
  Items result = zeros<W>();
#pragma unroll 1
  for (uint32_t s = 0; s < args.steps; ++s) {
    const ChainStep& step = args.step[s];
    const Items a = operandOf(slots, step.a, result, step.scalar);
    if (step.code < kBinaryStep) {
      withUnaryFloat(static_cast<UnaryCode>(step.code), step.alpha, step.beta, [&](const auto& f) {
#pragma unroll
        for (int k = 0; k < W; ++k) result.at[k] = floatOf(f(a.at[k]));
      });
    } else {
      const Items b = operandOf(slots, step.b, result, step.scalar);
      withBinaryFloat(static_cast<BinaryCode>(step.code - kBinaryStep), step.alpha, step.beta, [&](const auto& f) {
#pragma unroll
        for (int k = 0; k < W; ++k) result.at[k] = floatOf(f(a.at[k], b.at[k]));
      });
    }
    if (step.slot != kNoSlot) slots[step.slot] = result;
    if (step.output != 0) place.store(args.out[step.output - 1], result);
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(128) chain4(const ChainArgs args) { chain<true>(args); }

extern "C" __global__ void __launch_bounds__(128) chain1(const ChainArgs args) { chain<false>(args); }

}  // namespace anneal::cuda
