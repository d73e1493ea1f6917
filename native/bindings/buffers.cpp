#include <cstdlib>
#include <cstring>

#include "bindings.h"
#include "context.h"

namespace anneal {
namespace {

constexpr uint64_t kMaxBytes = (uint64_t{1} << 53) - 1;

struct Range {
  BufferPool::Buffer& buffer;
  std::byte* data;
  size_t bytes;
};

Range rangeOf(Context& context, BufferPool::Handle handle, uint64_t offset, uint64_t bytes) {
  BufferPool::Buffer& buffer = context.buffers().get(handle);
  if (offset > buffer.bytes || bytes > buffer.bytes - offset)
    raise(Code::range, "expected a range within %zu bytes, received %llu bytes at %llu", buffer.bytes,
          static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(offset));
  return {buffer, buffer.block.data + offset, static_cast<size_t>(bytes)};
}

Range rangeArguments(const Napi::CallbackInfo& info, Context& context) {
  return rangeOf(context, handleArgument(info, 0), integerArgument(info, 1, "byteOffset", kMaxBytes),
                 integerArgument(info, 2, "byteLength", kMaxBytes));
}

}  // namespace

Napi::ArrayBuffer newArrayBuffer(Context& context, Napi::Env env, size_t bytes) {
  context.buffers().mayFail(bytes);
  // V8 ends the process when it cannot have the memory, so ask malloc first.
  constexpr size_t kLarge = size_t{64} << 20;
  if (bytes > kLarge) {
    void* const probe = std::malloc(bytes);
    if (probe == nullptr) raise(Code::oom, "out of memory: an ArrayBuffer of %zu bytes", bytes);
    std::free(probe);
  }
  napi_value value = nullptr;
  void* data = nullptr;
  if (napi_create_arraybuffer(env, bytes, &data, &value) != napi_ok || (data == nullptr && bytes > 0))
    raise(Code::oom, "out of memory: an ArrayBuffer of %zu bytes", bytes);
  return Napi::ArrayBuffer(env, value);
}

Napi::Value bindAlloc(const Napi::CallbackInfo& info) {
  return guarded(info, "alloc", [&]() -> Napi::Value {
    Context& context = Context::of(info);
    const size_t bytes = integerArgument(info, 0, "bytes", kMaxBytes);
    BufferPool::Handle handle;
    try {
      handle = context.buffers().alloc(bytes);
    } catch (const OpError&) {
      // What the pool keeps of other sizes may make room, once no queued op uses it.
      context.queue().wait(context.queue().submitted());
      context.buffers().trim(context.completed());
      handle = context.buffers().alloc(bytes);
    }
    context.reportMemory(info.Env());
    return Napi::Number::New(info.Env(), static_cast<double>(handle));
  });
}

Napi::Value bindFree(const Napi::CallbackInfo& info) {
  return guarded(info, "free", [&]() -> Napi::Value {
    Context& context = Context::of(info);
    const BufferPool::Handle handle = handleArgument(info, 0);
    const bool collected = info[1].ToBoolean();
    const size_t bytes = context.buffers().get(handle).bytes;
    context.buffers().free(handle);
    context.reportMemory(info.Env(), collected ? bytes : 0);
    return info.Env().Undefined();
  });
}

Napi::Value bindWrite(const Napi::CallbackInfo& info) {
  return guarded(info, "write", [&]() -> Napi::Value {
    Context& context = Context::of(info);
    const BufferPool::Handle handle = handleArgument(info, 0);
    const uint64_t offset = integerArgument(info, 1, "byteOffset", kMaxBytes);
    const Bytes from = bytesArgument(info, 2, "data");
    Range to = rangeOf(context, handle, offset, from.size);
    if (from.size == 0) return info.Env().Undefined();
    to.buffer.block.lastUse = context.queue().write(to.data, from.data, from.size, to.buffer.block.lastUse);
    return info.Env().Undefined();
  });
}

Napi::Value bindRead(const Napi::CallbackInfo& info) {
  return guarded(info, "read", [&]() -> Napi::Value {
    Context& context = Context::of(info);
    const Range from = rangeArguments(info, context);
    Napi::ArrayBuffer result = newArrayBuffer(context, info.Env(), from.bytes);
    // Nobody else holds `result` until the promise resolves, so the queue may fill its memory.
    if (from.bytes > 0) from.buffer.block.lastUse = context.queue().read(result.Data(), from.data, from.bytes);
    return context.settleWhenDone(result);
  });
}

Napi::Value bindReadSync(const Napi::CallbackInfo& info) {
  return guarded(info, "readSync", [&]() -> Napi::Value {
    Context& context = Context::of(info);
    const Range from = rangeArguments(info, context);
    DeviceQueue& queue = context.queue();
    Napi::ArrayBuffer result = newArrayBuffer(context, info.Env(), from.bytes);
    if (from.bytes > 0) from.buffer.block.lastUse = queue.read(result.Data(), from.data, from.bytes);
    queue.wait(queue.submitted());
    if (const auto failure = queue.takeFailure()) throw makeError(info.Env(), failure->code, failure->message);
    return result;
  });
}

Napi::Value bindMemory(const Napi::CallbackInfo& info) {
  return guarded(info, "memory", [&]() -> Napi::Value {
    const MemoryStats stats = Context::of(info).buffers().stats();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("liveBytes", static_cast<double>(stats.liveBytes));
    result.Set("pooledBytes", static_cast<double>(stats.pooledBytes));
    result.Set("peakBytes", static_cast<double>(stats.peakBytes));
    result.Set("liveBuffers", static_cast<double>(stats.liveBuffers));
    return result;
  });
}

Napi::Value bindTrim(const Napi::CallbackInfo& info) {
  return guarded(info, "trim", [&]() -> Napi::Value {
    Context& context = Context::of(info);
    const size_t returned = context.buffers().trim(context.completed()) + context.queue().trim();
    context.forgetPeak();
    context.reportMemory(info.Env());
    return Napi::Number::New(info.Env(), static_cast<double>(returned));
  });
}

}  // namespace anneal
