// Activations that an op applies to its result before it is stored.
#pragma once

#include <cstdint>

#ifdef ANNEAL_ISA
#include "math.h"
#else
#include <cmath>
#endif

namespace anneal {

enum class Activation : uint32_t { none = 0, relu = 1, sigmoid = 2, tanh = 3 };
constexpr int64_t kLastActivation = 3;

#ifdef ANNEAL_ISA
namespace ANNEAL_ISA {

// NaN stays NaN, as in PyTorch.
static inline vf relu(vf x) { return x < splat(0.0f) ? splat(0.0f) : x; }

static inline vf activate(vf x, Activation activation) {
  switch (activation) {
    case Activation::none: return x;
    case Activation::relu: return relu(x);
    case Activation::sigmoid: return sigmoid(x);
    case Activation::tanh: return tanh(x);
  }
  return x;
}

}  // namespace ANNEAL_ISA
#else
inline double activate(double x, Activation activation) {
  switch (activation) {
    case Activation::none: return x;
    case Activation::relu: return x < 0 ? 0 : x;
    case Activation::sigmoid: return 1 / (1 + std::exp(-x));
    case Activation::tanh: return std::tanh(x);
  }
  return x;
}
#endif

}  // namespace anneal
