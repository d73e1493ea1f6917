// What one JavaScript environment (the main thread or one worker) has of a device: buffers, a queue, pending promises.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "../core/buffer_pool.h"
#include "../core/queue.h"
#include "settler.h"

namespace anneal {

// Whether a number is an integer in [0, max], max below 2^63. Written so that NaN fails, and without floor(), which is a
// call on the oldest x86-64.
inline bool isInteger(double value, double max) {
  return value >= 0 && value <= max && static_cast<double>(static_cast<int64_t>(value)) == value;
}

// An operand as JavaScript gives it; handle 0 is an absent one.
struct Operand {
  double handle, byteOffset, byteLength;
};

// The next op call, written by JavaScript through typed arrays, so that the call itself has no argument to unwrap: reading
// a typed array argument costs more than all the rest. Contents are not trusted.
struct CallBlock {
  uint32_t op, nIn, nOut, half;
  alignas(8) std::byte params[kMaxParamBytes];
  Operand operands[kMaxOperands];  // inputs, then outputs
};

class Context {
 public:
  // The CPU's.
  Context(Napi::Env env, std::shared_ptr<CallBlock> callBlock);
  // Of a device that is open.
  Context(Napi::Env env, std::shared_ptr<CallBlock> callBlock, std::unique_ptr<DeviceQueue> queue, BufferPool& buffers);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // That of the device whose function was called.
  static Context& of(const Napi::CallbackInfo& info) { return *static_cast<Context*>(info.Data()); }

  BufferPool& buffers() { return buffers_; }
  DeviceQueue& queue();  // the CPU's thread starts on first use
  uint64_t completed() { return queue_ ? queue_->completed() : 0; }

  Isa isa() const { return isa_; }
  void setIsa(Isa isa) { isa_ = isa; }
  int threads() const { return threads_; }
  void setThreads(int threads);

  // A promise settled on this thread once everything queued so far is done: resolved with `value` (or undefined when
  // empty), or rejected with the failure of an op queued before it. Keeps the event loop alive until then. Lingers for what
  // is done in a moment; the promise is settled by the event loop in any case, which so has its turn each time.
  Napi::Promise settleWhenDone(Napi::Value value);

  // The memory that an operand names, and the buffer it is part of: null where it is absent. Raises, calling it operand i.
  BufferRef resolve(const Operand& operand, uint32_t i, BufferPool::Buffer*& owner);

  // Plans by an id that is never used again. Raises E_DISPOSED.
  uint32_t addPlan(std::shared_ptr<const Plan> plan);
  const std::shared_ptr<const Plan>& plan(uint32_t id) const;
  void freePlan(uint32_t id);

  const CallBlock& callBlock() const { return *callBlock_; }
  // The call block's memory, the same object each time. It stays readable here whatever becomes of the ArrayBuffer.
  Napi::Value callBlockArray(Napi::Env env);

  // Tells the garbage collector about memory it cannot see, in steps worth the call; after each alloc and free, with the
  // bytes that were freed because it had collected their tensor.
  //
  // V8 collects everything whenever what it was told grows by 64 MB. A step of a net takes more than that, gives it all back
  // itself and takes it again, and would bring on a collection of 10 ms each time. So memory that is given back by hand
  // stays reported, as the pool keeps it for the next step; only what the collector itself freed is taken off, so that
  // tensors which nobody disposes still bring on the next collection.
  void reportMemory(Napi::Env env, size_t collected = 0);
  // The pool has given back what it kept for the next step.
  void forgetPeak() { wantedBytes_ = buffers_.stats().liveBytes; }

 private:
  static void closeBeforeEnvironment(void* context);
  void startSettling();
  void close();

  napi_env env_;
  std::unique_ptr<BufferPool> hostBuffers_;  // the CPU's
  BufferPool& buffers_;
  std::shared_ptr<CallBlock> callBlock_;
  napi_ref callBlockArray_ = nullptr;
  std::unique_ptr<Settler> settler_;
  Queue* cpu_ = nullptr;  // where queue_ is the CPU's
  std::unique_ptr<DeviceQueue> queue_;
  Isa isa_;
  int threads_;
  std::unordered_map<uint32_t, std::shared_ptr<const Plan>> plans_;
  uint32_t lastPlan_ = 0;
  size_t wantedBytes_ = 0;  // the most live bytes so far, less what was collected or trimmed since
  int64_t reportedBytes_ = 0;
};

// All devices that an environment has open. They share the call block.
class Environment {
 public:
  explicit Environment(Napi::Env env) : callBlock_(std::make_shared<CallBlock>()), cpu_(env, callBlock_) {}

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  Context& cpu() { return cpu_; }
  Context& open(Napi::Env env, std::unique_ptr<DeviceQueue> queue, BufferPool& buffers) {
    opened_.push_back(std::make_unique<Context>(env, callBlock_, std::move(queue), buffers));
    return *opened_.back();
  }

 private:
  std::shared_ptr<CallBlock> callBlock_;
  Context cpu_;
  std::vector<std::unique_ptr<Context>> opened_;
};

// The boundary's error: an Error with name 'AnnealError' and a stable code.
Napi::Error makeError(Napi::Env env, Code code, const std::string& message);

// Runs a binding's body; whatever C++ throws becomes a JavaScript error, so that nothing unwinds through V8.
template <class Body> Napi::Value guarded(const Napi::CallbackInfo& info, const char* name, const Body& body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    const Failure failure = currentFailure(name);
    throw makeError(info.Env(), failure.code, failure.message);
  }
}

// Arguments, unwrapped strictly: raise E_ARGUMENT naming what was expected and received.
uint64_t integerArgument(const Napi::CallbackInfo& info, size_t i, const char* name, uint64_t max);
BufferPool::Handle handleArgument(const Napi::CallbackInfo& info, size_t i);

// The bytes of a typed array argument; detached ones are refused.
struct Bytes {
  std::byte* data;
  size_t size;
};
Bytes bytesArgument(const Napi::CallbackInfo& info, size_t i, const char* name);

// As bytesArgument(), of one kind of array, which messages call `typeName`.
Bytes typedArgument(const Napi::CallbackInfo& info, size_t i, const char* name, napi_typedarray_type type,
                    const char* typeName);

// Memory for a result: zeroed, and nobody else's until it is handed out. Raises E_OOM. (buffers.cpp)
Napi::ArrayBuffer newArrayBuffer(Context& context, Napi::Env env, size_t bytes);

}  // namespace anneal
