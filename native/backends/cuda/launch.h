// How an op becomes launches on a CUDA device. A room's <room>.cuda.cpp defines `void NAME(Call&)` in namespace anneal::cuda::ops
// for each of its ops: it chooses kernels and sizes from the parameters, and launches.
#pragma once

#include "../../../kernels/common/cuda.h"
#include "../../core/op.h"

namespace anneal::cuda {

struct Dim {
  uint32_t x = 1, y = 1, z = 1;
};

enum class Precision : uint32_t { f32, tf32, bf16 };

// What the choice of kernels may depend on.
struct Traits {
  int major, minor;               // compute capability
  int multiprocessors;
  int sharedPerBlock;             // bytes that a block may ask for
  int sharedPerMultiprocessor;    // bytes
  int l2Bytes;
  Precision precision;            // of products

  bool atLeast(int wanted) const { return major * 10 + minor >= wanted; }
};

struct Launch {
  const char* kernel;  // "room/kernel", static
  Dim grid, block;
  uint32_t sharedBytes;  // dynamic
  const void* args;
  uint32_t argBytes;
};

// Takes launches, in order, and lends memory to them.
class Launcher {
 public:
  virtual ~Launcher() = default;
  virtual void launch(const Launch& launch) = 0;
  virtual void* scratch(size_t bytes) = 0;  // 256-byte aligned, until the end of the op; raises E_OOM
};

class Call {
 public:
  Call(const OpCall& op, const Traits& traits, Launcher& launcher) : op_(op), traits_(traits), launcher_(launcher) {}

  const Traits& traits() const { return traits_; }
  template <class P> const P& as() const { return op_.as<P>(); }
  uint32_t inputs() const { return op_.nIn; }
  uint32_t outputs() const { return op_.nOut; }

  // Absent where the call has none.
  template <class T> Span<const T> input(uint32_t i) const {
    if (i >= op_.nIn) return {nullptr, 0};
    return {static_cast<const T*>(op_.in[i].data), static_cast<int64_t>(op_.in[i].bytes / sizeof(T))};
  }
  template <class T> Span<T> output(uint32_t i) const {
    if (i >= op_.nOut) return {nullptr, 0};
    return {static_cast<T*>(op_.out[i].data), static_cast<int64_t>(op_.out[i].bytes / sizeof(T))};
  }

  // Contents undefined; for the launches of this call alone. Absent for 0 items.
  template <class T> Span<T> scratch(int64_t items) const {
    if (items == 0) return {nullptr, 0};
    return {static_cast<T*>(launcher_.scratch(static_cast<size_t>(items) * sizeof(T))), items};
  }

  // `args` is the struct that the kernel takes. A grid of no blocks is nothing to do.
  template <class A> void launch(const char* kernel, Dim grid, Dim block, const A& args, uint32_t sharedBytes = 0) const {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    launcher_.launch({kernel, grid, block, sharedBytes, &args, sizeof(A)});
  }

 private:
  const OpCall& op_;
  const Traits& traits_;
  Launcher& launcher_;
};

// Whether vectors of four floats can be read from here on.
template <class T> bool alignedBy16(const Span<T>& span) { return reinterpret_cast<uintptr_t>(span.data) % 16 == 0; }

constexpr uint32_t ceilDiv(int64_t a, int64_t b) { return static_cast<uint32_t>((a + b - 1) / b); }

// Launches an op: how every op is. Operands that are stored as f16 are widened into scratch memory before its own launches, and what it
// wrote is rounded behind them (native/core/half.h), outputs widened, too: an op may read them, or leave parts as they are.
void launchOp(uint32_t op, const OpCall& call, const Traits& traits, Launcher& launcher);

}  // namespace anneal::cuda
