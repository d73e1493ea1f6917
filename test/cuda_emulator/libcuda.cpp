// A CUDA driver without a GPU, for tests: the calls that the backend makes, over the emulated kernels. Streams are threads, so what
// is asynchronous on a GPU is here; a stream that does not wait for another overtakes it. Device memory that nobody wrote holds
// NaN. What a real driver refuses (wrong handles, ranges outside of an allocation, blocks too large) is refused.
//
//   ANNEAL_CUDA_EMULATOR_DEVICES   how many devices there are (2)
//   ANNEAL_CUDA_EMULATOR_CC        their compute capability (80)
//   ANNEAL_CUDA_EMULATOR_SEED      for the order of threads (1)
//   ANNEAL_CUDA_EMULATOR_FAIL      "cuLaunchKernel:3:719": the third call of that name from now on gives that result. Looked at in
//                                  each call, so a test may change it.
//   ANNEAL_CUDA_EMULATOR_MEMORY    bytes of device memory (2^32)
//   ANNEAL_CUDA_EMULATOR_VERSION   the CUDA version that the driver is for (13000)
//   ANNEAL_CUDA_EMULATOR_HIDDEN    1: it passes for a GPU's driver, so that kernels would come from the build
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "world.h"

namespace anneal::cuda {
namespace {


Result allocate(Pointer* pointer, size_t bytes) {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  if (bytes == 0) return kInvalidValue;
  if (bytes > static_cast<size_t>(setting("ANNEAL_CUDA_EMULATOR_MEMORY", int64_t{1} << 32)) - w.allocated) return kOutOfMemory;
  void* const data = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (data == nullptr) return kOutOfMemory;
  const uint32_t nan = 0x7fc0deadu;
  for (size_t i = 0; i + 4 <= bytes; i += 4) std::memcpy(static_cast<std::byte*>(data) + i, &nan, 4);
  w.allocations.emplace(reinterpret_cast<uintptr_t>(data), bytes);
  w.allocated += bytes;
  *pointer = reinterpret_cast<Pointer>(data);
  return kSuccess;
}

Result release(Pointer pointer) {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  const auto found = w.allocations.find(pointer);
  if (found == w.allocations.end()) return kInvalidValue;
  w.allocated -= found->second;
  w.allocations.erase(found);
  std::free(reinterpret_cast<void*>(pointer));
  return kSuccess;
}

}  // namespace

extern "C" {

// That it is here says what this library is.
ANNEAL_EXPORT int anneal_emulated_cuda = setting("ANNEAL_CUDA_EMULATOR_HIDDEN", 0) == 0;

Result cuInit(unsigned) {
  ANNEAL_ENTER_DEVICE(cuInit);
  world().initialised = true;
  return kSuccess;
}
Result cuDriverGetVersion(int* version) {
  ANNEAL_ENTER_DEVICE(cuDriverGetVersion);
  *version = static_cast<int>(setting("ANNEAL_CUDA_EMULATOR_VERSION", 13000));
  return kSuccess;
}
Result cuGetErrorName(Result error, const char** text) {
  static const std::map<Result, const char*> names = {
      {kSuccess, "CUDA_SUCCESS"}, {kInvalidValue, "CUDA_ERROR_INVALID_VALUE"}, {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY"},
      {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED"}, {kNoDevice, "CUDA_ERROR_NO_DEVICE"},
      {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT"}, {kNoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
      {kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE"}, {kNotFound, "CUDA_ERROR_NOT_FOUND"}, {kNotReady, "CUDA_ERROR_NOT_READY"},
      {kIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {716, "CUDA_ERROR_MISALIGNED_ADDRESS"}, {719, "CUDA_ERROR_LAUNCH_FAILED"}};
  const auto found = names.find(error);
  *text = found == names.end() ? nullptr : found->second;
  return found == names.end() ? kInvalidValue : kSuccess;
}
Result cuGetErrorString(Result error, const char** text) {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  *text = error == w.sticky && !w.what.empty() ? w.what.c_str() : "emulated";
  return kSuccess;
}
Result cuDeviceGetCount(int* count) {
  ANNEAL_ENTER_DEVICE(cuDeviceGetCount);
  *count = static_cast<int>(setting("ANNEAL_CUDA_EMULATOR_DEVICES", 2));
  return *count == 0 ? kNoDevice : kSuccess;
}
Result cuDeviceGet(DeviceId* device, int ordinal) {
  ANNEAL_ENTER_DEVICE(cuDeviceGet);
  *device = ordinal;
  return kSuccess;
}
Result cuDeviceGetName(char* name, int length, DeviceId device) {
  ANNEAL_ENTER_DEVICE(cuDeviceGetName);
  std::snprintf(name, static_cast<size_t>(length), "emulated GPU %d", device);
  return kSuccess;
}
Result cuDeviceGetAttribute(int* value, Attribute attribute, DeviceId) {
  ANNEAL_ENTER_DEVICE(cuDeviceGetAttribute);
  const auto capability = static_cast<int>(setting("ANNEAL_CUDA_EMULATOR_CC", 80));
  switch (attribute) {
    case Attribute::computeCapabilityMajor: *value = capability / 10; break;
    case Attribute::computeCapabilityMinor: *value = capability % 10; break;
    case Attribute::multiprocessorCount: *value = 8; break;
    case Attribute::maxSharedMemoryPerBlock: *value = 48 << 10; break;
    case Attribute::maxSharedMemoryPerBlockOptin: *value = capability < 80 ? 64 << 10 : 163 << 10; break;
    case Attribute::maxSharedMemoryPerMultiprocessor: *value = capability < 80 ? 64 << 10 : 164 << 10; break;
    case Attribute::l2CacheSize: *value = 1 << 20; break;
    case Attribute::clockRate: *value = 1000000; break;
    case Attribute::memoryClockRate: *value = 1000000; break;
    case Attribute::memoryBusWidth: *value = 64; break;
    case Attribute::memoryPoolsSupported: *value = 1; break;
    default: return kInvalidValue;
  }
  return kSuccess;
}
Result cuDeviceTotalMem_v2(size_t* bytes, DeviceId) {
  ANNEAL_ENTER_DEVICE(cuDeviceTotalMem);
  *bytes = static_cast<size_t>(setting("ANNEAL_CUDA_EMULATOR_MEMORY", int64_t{1} << 32));
  return kSuccess;
}
Result cuDevicePrimaryCtxRetain(Context* context, DeviceId) {
  ANNEAL_ENTER_DEVICE(cuDevicePrimaryCtxRetain);
  *context = reinterpret_cast<Context>(&world());
  return kSuccess;
}
Result cuDevicePrimaryCtxRelease_v2(DeviceId) { return kSuccess; }
Result cuDevicePrimaryCtxReset_v2(DeviceId) {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  w.sticky = kSuccess;
  w.what.clear();
  return kSuccess;
}
Result cuCtxSetCurrent(Context context) {
  ANNEAL_ENTER_DEVICE(cuCtxSetCurrent);
  return context == reinterpret_cast<Context>(&world()) ? kSuccess : kInvalidContext;
}
Result cuModuleLoadData(Module* module, const void* image) {
  ANNEAL_ENTER(cuModuleLoadData);
  // The image of an emulated module is the name of any of its kernels.
  const std::string kernel = static_cast<const char*>(image);
  auto* const made = new ModuleState{kernel.substr(0, kernel.find('/'))};
  add(world().modules, made);
  *module = reinterpret_cast<Module>(made);
  return kSuccess;
}
Result cuModuleUnload(Module module) {
  ANNEAL_ENTER(cuModuleUnload);
  if (!remove(world().modules, module)) return kInvalidHandle;
  delete reinterpret_cast<ModuleState*>(module);
  return kSuccess;
}
Result cuModuleGetFunction(Function* function, Module module, const char* name) {
  ANNEAL_ENTER(cuModuleGetFunction);
  if (!live(world().modules, module)) return kInvalidHandle;
  const KernelEntry* const kernel = emulation::findKernel(reinterpret_cast<ModuleState*>(module)->room, name);
  if (kernel == nullptr) return kNotFound;
  *function = reinterpret_cast<Function>(const_cast<KernelEntry*>(kernel));
  return kSuccess;
}
Result cuFuncSetAttribute(Function, int, int value) {
  ANNEAL_ENTER(cuFuncSetAttribute);
  return static_cast<size_t>(value) > kSharedPerBlock ? kInvalidValue : kSuccess;
}
Result cuMemAlloc_v2(Pointer* pointer, size_t bytes) {
  ANNEAL_ENTER(cuMemAlloc);
  return allocate(pointer, bytes);
}
Result cuMemFree_v2(Pointer pointer) {
  ANNEAL_ENTER(cuMemFree);
  return release(pointer);
}
Result cuMemAllocAsync(Pointer* pointer, size_t bytes, Stream stream) {
  ANNEAL_ENTER(cuMemAllocAsync);
  return live(world().streams, stream) ? allocate(pointer, bytes) : kInvalidHandle;
}
Result cuMemFreeAsync(Pointer pointer, Stream stream) {
  ANNEAL_ENTER(cuMemFreeAsync);
  if (!live(world().streams, stream)) return kInvalidHandle;
  if (!within(pointer, 1)) return kInvalidValue;
  streamOf(stream)->push([pointer] { release(pointer); });
  return kSuccess;
}
Result cuDeviceGetDefaultMemPool(MemoryPool* pool, DeviceId) {
  ANNEAL_ENTER_DEVICE(cuDeviceGetDefaultMemPool);
  *pool = reinterpret_cast<MemoryPool>(&world());
  return kSuccess;
}
Result cuMemPoolSetAttribute(MemoryPool, int, void*) {
  ANNEAL_ENTER(cuMemPoolSetAttribute);
  return kSuccess;
}
Result cuMemPoolTrimTo(MemoryPool, size_t) {
  ANNEAL_ENTER(cuMemPoolTrimTo);
  return kSuccess;
}
Result cuMemHostAlloc(void** pointer, size_t bytes, unsigned) {
  ANNEAL_ENTER(cuMemHostAlloc);
  *pointer = std::malloc(bytes);
  if (*pointer == nullptr) return kOutOfMemory;
  add(world().pinned, *pointer);
  return kSuccess;
}
Result cuMemFreeHost(void* pointer) {
  if (!remove(world().pinned, pointer)) return kInvalidValue;
  std::free(pointer);
  return kSuccess;
}
Result cuMemcpyHtoDAsync_v2(Pointer to, const void* from, size_t bytes, Stream stream) {
  ANNEAL_ENTER(cuMemcpyHtoDAsync);
  if (!live(world().streams, stream)) return kInvalidHandle;
  if (!within(to, bytes)) return kInvalidValue;
  streamOf(stream)->push([=] { std::memcpy(reinterpret_cast<void*>(to), from, bytes); });
  return kSuccess;
}
Result cuMemcpyDtoHAsync_v2(void* to, Pointer from, size_t bytes, Stream stream) {
  ANNEAL_ENTER(cuMemcpyDtoHAsync);
  if (!live(world().streams, stream)) return kInvalidHandle;
  if (!within(from, bytes)) return kInvalidValue;
  streamOf(stream)->push([=] { std::memcpy(to, reinterpret_cast<const void*>(from), bytes); });
  return kSuccess;
}
Result cuMemsetD8Async(Pointer to, unsigned char value, size_t bytes, Stream stream) {
  ANNEAL_ENTER(cuMemsetD8Async);
  if (!live(world().streams, stream)) return kInvalidHandle;
  if (!within(to, bytes)) return kInvalidValue;
  streamOf(stream)->push([=] { std::memset(reinterpret_cast<void*>(to), value, bytes); });
  return kSuccess;
}
Result cuStreamCreate(Stream* stream, unsigned) {
  ANNEAL_ENTER(cuStreamCreate);
  auto* const made = new StreamState;
  add(world().streams, made);
  *stream = reinterpret_cast<Stream>(made);
  return kSuccess;
}
Result cuStreamDestroy_v2(Stream stream) {
  if (!remove(world().streams, stream)) return kInvalidHandle;
  delete streamOf(stream);
  return kSuccess;
}
Result cuStreamSynchronize(Stream stream) {
  ANNEAL_ENTER(cuStreamSynchronize);
  if (!live(world().streams, stream)) return kInvalidHandle;
  streamOf(stream)->drain();
  return world().sticky;
}
Result cuStreamWaitEvent(Stream stream, Event event, unsigned) {
  ANNEAL_ENTER(cuStreamWaitEvent);
  if (!live(world().streams, stream) || !live(world().events, event)) return kInvalidHandle;
  EventState& state = *eventOf(event);
  uint64_t target;
  {
    const std::lock_guard lock(state.mutex);
    target = state.recorded;
  }
  streamOf(stream)->push([&state, target] {
    std::unique_lock lock(state.mutex);
    state.over.wait(lock, [&] { return state.reached >= target; });
  });
  return kSuccess;
}
Result cuEventCreate(Event* event, unsigned) {
  ANNEAL_ENTER(cuEventCreate);
  auto* const made = new EventState;
  add(world().events, made);
  *event = reinterpret_cast<Event>(made);
  return kSuccess;
}
Result cuEventRecord(Event event, Stream stream) {
  ANNEAL_ENTER(cuEventRecord);
  if (!live(world().streams, stream) || !live(world().events, event)) return kInvalidHandle;
  EventState& state = *eventOf(event);
  uint64_t number;
  {
    const std::lock_guard lock(state.mutex);
    number = ++state.recorded;
  }
  streamOf(stream)->push([&state, number] {
    {
      const std::lock_guard lock(state.mutex);
      state.reached = std::max(state.reached, number);
      state.time = Clock::now();
    }
    state.over.notify_all();
  });
  return kSuccess;
}
Result cuEventQuery(Event event) {
  ANNEAL_ENTER(cuEventQuery);
  if (!live(world().events, event)) return kInvalidHandle;
  EventState& state = *eventOf(event);
  const std::lock_guard lock(state.mutex);
  return state.reached >= state.recorded ? kSuccess : kNotReady;
}
Result cuEventSynchronize(Event event) {
  ANNEAL_ENTER(cuEventSynchronize);
  if (!live(world().events, event)) return kInvalidHandle;
  EventState& state = *eventOf(event);
  {
    std::unique_lock lock(state.mutex);
    const uint64_t target = state.recorded;
    state.over.wait(lock, [&] { return state.reached >= target; });
  }
  return world().sticky;
}
Result cuEventElapsedTime(float* milliseconds, Event start, Event end) {
  ANNEAL_ENTER(cuEventElapsedTime);
  if (!live(world().events, start) || !live(world().events, end)) return kInvalidHandle;
  const auto timeOf = [](Event event) {
    const std::lock_guard lock(eventOf(event)->mutex);
    return eventOf(event)->time;
  };
  *milliseconds = std::chrono::duration<float, std::milli>(timeOf(end) - timeOf(start)).count();
  return kSuccess;
}
// Its memory stays: a stream may still have it to reach.
Result cuEventDestroy_v2(Event event) { return remove(world().events, event) ? kSuccess : kInvalidHandle; }

Result cuLaunchKernel(Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                      unsigned blockZ, unsigned sharedBytes, Stream stream, void** params, void** extra) {
  ANNEAL_ENTER(cuLaunchKernel);
  if (!live(world().streams, stream)) return kInvalidHandle;
  auto node = std::make_shared<KernelNode>();
  const Result result =
      nodeOf({function, gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes, params, extra}, *node);
  if (result != kSuccess) return result;
  streamOf(stream)->push([node] { execute(*node); });
  return kSuccess;
}

}  // extern "C"
}  // namespace anneal::cuda
