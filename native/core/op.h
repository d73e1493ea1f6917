// What a kernel sees: plain parameters, resolved buffers, and the services it may use while it runs.
// No Node-API here. Kernel translation units are compiled once per instruction set, so everything declared
// here that they call is a non-inline function compiled once (see ARCHITECTURE.md, "One addon for every machine").
#pragma once

#include <cstddef>
#include <cstdint>

namespace anneal {

// What a contract says of an operand. One that is f32 there may be stored as f16: the call says which are (`OpCall::half`).
enum class DType : uint32_t { f32 = 0, i32 = 1, u8 = 2 };

// A resolved view of a buffer. An absent optional operand is { nullptr, 0 }.
struct BufferRef {
  void* data;
  size_t bytes;
};

enum class Code { shape, dtype, device, disposed, oom, nonfinite, format, range, argument, internal };

// Reports a failed operation: throws OpError. printf-style; the queue adds the op's name in front.
[[noreturn]] void raise(Code code, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Runs a kernel's tasks on the thread pool and lends it scratch memory.
class Exec {
 public:
  using Body = void (*)(void* arg, int64_t index, int worker);

  virtual ~Exec() = default;
  virtual int threads() const = 0;

  // Calls body(arg, i, worker) once for each i in [0, count) and returns when all are done. The order and the worker
  // are not defined, so tasks write disjoint outputs, and which numbers are summed in what order must follow
  // from shapes, never from threads().
  // A task may raise(); the first error is raised again from here.
  virtual void parallelFor(int64_t count, Body body, void* arg) = 0;

  // At least `bytes` of 64-byte aligned scratch, contents undefined, valid until the op returns. One block for each
  // (worker, slot); asking again for the same one may move it. slot < kWidened. raises E_OOM.
  virtual void* scratch(int worker, int slot, size_t bytes) = 0;

  static constexpr int kScratchSlots = 5;
  static constexpr int kWidened = 4;  // not the kernels': operands that are stored as f16, as a kernel sees them (half.h)
  static constexpr int kShared = 0;  // the worker index of the thread that runs the op itself
};

struct OpCall {
  const void* params;
  const BufferRef* in;
  const BufferRef* out;
  uint32_t nIn;
  uint32_t nOut;
  Exec& exec;
  // A bit for each operand that is stored as f16, inputs first, then outputs: checks see them as they are stored, kernels as
  // f32 (half.h), so that theirs is 0.
  uint32_t half = 0;

  bool isHalf(uint32_t operand) const { return (half >> operand & 1) != 0; }

  template <class P> const P& as() const { return *static_cast<const P*>(params); }
  template <class T> const T* input(uint32_t i) const { return static_cast<const T*>(in[i].data); }
  template <class T> T* output(uint32_t i) const { return static_cast<T*>(out[i].data); }
};

using KernelFn = void (*)(const OpCall&);

// Between f16 and f32, in arrays: exact one way, rounded once the other. Subnormals are kept, infinities and NaNs stay what they
// are (a NaN is quiet then, and its payload loses the low bits).
struct HalfFns {
  void (*widen)(float* to, const uint16_t* from, size_t count);
  void (*narrow)(uint16_t* to, const float* from, size_t count);
};

// ---- The contract of an op: compiled once, used by the boundary before anything is enqueued. ----

enum class FieldType : uint32_t { u32, i32, f32 };

// One field of a parameter struct, as the TypeScript codec must write it. All fields are 4 bytes wide.
struct Field {
  const char* name;
  FieldType type;
  uint32_t offset;  // bytes
  uint32_t count;   // 1, or the length of an array field
};

// Raises when params and operand sizes do not fit together, so that the kernel can trust them: every byte the kernel
// may touch lies within the operands. Must hold for any parameter bytes whatsoever (they come from outside).
using CheckFn = void (*)(const OpCall&);

struct OpDef {
  const char* name;
  uint32_t paramBytes;
  const Field* fields;
  uint32_t nFields;
  uint32_t minIn, maxIn;
  uint32_t minOut, maxOut;
  CheckFn check;
  KernelFn reference;  // plain loops, double accumulation: the oracle
};

// Limits of one op record.
constexpr uint32_t kMaxParamBytes = 256;
constexpr uint32_t kMaxOperands = 16;

#define ANNEAL_FIELD(Struct, member, fieldType, n) \
  ::anneal::Field { #member, ::anneal::FieldType::fieldType, static_cast<uint32_t>(offsetof(Struct, member)), n }

}  // namespace anneal
