// Products with few tiles and a long k are cut into parts of k, which are added up, in their order, by a second kernel. How many parts
// follows from the shape alone, so that a GPU's size does not change results.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "../../native/backends/cuda/launch.h"
#include "../elementwise/elementwise.cuda.h"
#include "../sgemm/sgemm.cuda.h"
#include "activation.h"

namespace anneal::cuda {

// Of the GPUs this is written for: A100 108, H100 132, RTX 4090 128.
constexpr uint64_t kTypicalMultiprocessors = 128;

struct Parts {
  uint32_t count, length;  // of k each, a multiple of 32; the last may be shorter
};

inline Parts partsOf(uint32_t k, uint64_t tiles, uint32_t most) {
  constexpr uint32_t kShortest = 256;  // below, adding up costs more than it gains
  const uint64_t wanted = tiles == 0 ? 1 : kTypicalMultiprocessors / tiles;
  const uint64_t count = std::min<uint64_t>({wanted, k / kShortest, most, 64});
  if (count <= 1) return {1, (k + 31) / 32 * 32};
  const uint32_t length = (ceilDiv(k, static_cast<int64_t>(count)) + 31) / 32 * 32;
  return {ceilDiv(k, length), length};
}

// What a tile does itself of an activation: relu.
inline float leastOf(uint32_t activation) {
  return static_cast<Activation>(activation) == Activation::relu ? 0.0f : -std::numeric_limits<float>::infinity();
}

// And what it leaves to a launch of its own.
inline void activateAfter(const Call& call, const Span<float>& result, uint32_t activation) {
  const auto which = static_cast<Activation>(activation);
  if (which == Activation::none || which == Activation::relu) return;
  const UnaryCode code = which == Activation::sigmoid ? UnaryCode::sigmoid : UnaryCode::tanh;
  launchUnary(call, {result.data, result.size}, result, {static_cast<uint32_t>(code), 0, static_cast<uint32_t>(result.size), 0, 0, 0, 0});
}

// What tensor_tile.cuh's four buffers take; whether the operands' neighbours lie along o.
constexpr uint32_t tensorSharedBytes(bool alongA, bool alongB) {
  const auto floats = [](bool along) { return along ? 16u * 136 : 128u * 20; };
  return 4 * 4 * (floats(alongA) + floats(alongB));
}

// c = activation(accumulated c + sum of the parts + bias)
inline void sumParts(const Call& call, const Span<float>& parts, const Span<const float>& bias, const Span<float>& c,
                     uint32_t columns, uint32_t count, uint32_t accumulate, uint32_t activation) {
  const uint64_t elements = static_cast<uint64_t>(parts.size) / count;
  const SumArgs args{{parts.data, parts.size}, bias, c, elements, columns, count, accumulate, activation};
  call.launch("sgemm/sum_parts", {ceilDiv(static_cast<int64_t>(elements), 256)}, {256}, args);
}

}  // namespace anneal::cuda
