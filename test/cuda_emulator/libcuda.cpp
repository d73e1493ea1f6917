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
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../../native/backends/cuda/driver.h"
#include "emulator.h"

namespace anneal::cuda {
namespace {

constexpr Result kInvalidValue = 1, kNotInitialized = 3, kInvalidContext = 201, kInvalidHandle = 400, kNotFound = 500,
                 kIllegalAddress = 700;
constexpr size_t kSharedPerBlock = 227 << 10;

int64_t setting(const char* variable, int64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoll(text, nullptr, 10);
}

using Clock = std::chrono::steady_clock;

struct EventState {
  std::mutex mutex;
  std::condition_variable over;
  uint64_t recorded = 0, reached = 0;
  Clock::time_point time{};
};

// A stream: what is enqueued is run by a thread of its own, in order.
class StreamState {
 public:
  StreamState() : thread_([this] { loop(); }) {}
  ~StreamState() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void push(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    changed_.notify_all();
  }
  void drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return tasks_.empty() && !busy_; });
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      busy_ = true;
      lock.unlock();
      task();
      lock.lock();
      busy_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false, busy_ = false;
  std::thread thread_;
};

struct KernelNode {
  const KernelEntry* kernel;
  emulation::LaunchSize size;
  std::vector<std::byte> args;
};

struct GraphState {
  std::vector<std::unique_ptr<KernelNode>> nodes;
};

struct ExecState {
  std::map<const KernelNode*, size_t> places;  // of the graph's nodes
  std::shared_ptr<std::vector<KernelNode>> nodes;
};

struct ModuleState {
  std::string room;
};

// Everything of the process; never destroyed, as a driver's is not.
struct World {
  std::mutex mutex;
  bool initialised = false;
  std::map<uintptr_t, size_t> allocations;
  size_t allocated = 0;
  std::set<const void*> streams, events, modules, graphs, execs, pinned;
  std::map<std::string, std::pair<std::string, int64_t>> failing;  // by call: what was asked for, and how many calls are left
  // After this every call gives it.
  std::atomic<Result> sticky{kSuccess};
  std::string what;
  uint64_t seed = static_cast<uint64_t>(setting("ANNEAL_CUDA_EMULATOR_SEED", 1));
};

World& world() {
  static World& made = *new World;
  return made;
}

// What the call of this name is to give, if a test asked for that.
// `ofContext`: it is refused once the context is broken, and such an error breaks it.
Result asked(const char* name, bool ofContext) {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  const char* const text = std::getenv("ANNEAL_CUDA_EMULATOR_FAIL");
  if (text != nullptr) {
    const std::string wish = text;
    const size_t first = wish.find(':'), second = wish.find(':', first + 1);
    if (first != std::string::npos && second != std::string::npos && wish.substr(0, first) == name) {
      auto& [known, left] = w.failing[name];
      if (known != wish) {
        known = wish;
        left = std::strtoll(wish.c_str() + first + 1, nullptr, 10);
      }
      if (left > 0 && --left == 0) {
        const auto result = static_cast<Result>(std::strtol(wish.c_str() + second + 1, nullptr, 10));
        if (ofContext && isSticky(result)) w.sticky = result;
        return result;
      }
    }
  } else {
    w.failing.clear();
  }
  if (!w.initialised && std::string(name) != "cuInit") return kNotInitialized;
  return ofContext ? w.sticky.load() : kSuccess;
}

#define ANNEAL_ENTER(name)                                          \
  if (const Result asked_ = asked(#name, true); asked_ != kSuccess) \
  return asked_
#define ANNEAL_ENTER_DEVICE(name)                                    \
  if (const Result asked_ = asked(#name, false); asked_ != kSuccess) \
  return asked_

bool live(const std::set<const void*>& set, const void* handle) {
  const std::lock_guard lock(world().mutex);
  return set.count(handle) != 0;
}

void add(std::set<const void*>& set, const void* handle) {
  const std::lock_guard lock(world().mutex);
  set.insert(handle);
}

bool remove(std::set<const void*>& set, const void* handle) {
  const std::lock_guard lock(world().mutex);
  return set.erase(handle) != 0;
}

bool within(Pointer pointer, size_t bytes) {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  auto found = w.allocations.upper_bound(pointer);
  if (found == w.allocations.begin()) return false;
  --found;
  return pointer - found->first <= found->second && bytes <= found->second - (pointer - found->first);
}

void failForGood(Result result, const std::string& what) {
  World& w = world();
  {
    const std::lock_guard lock(w.mutex);
    if (w.sticky == kSuccess) w.what = what;
  }
  w.sticky = result;
}

StreamState* streamOf(Stream stream) { return reinterpret_cast<StreamState*>(stream); }
EventState* eventOf(Event event) { return reinterpret_cast<EventState*>(event); }

void execute(const KernelNode& node) {
  World& w = world();
  if (w.sticky != kSuccess) return;
  uint64_t seed;
  {
    const std::lock_guard lock(w.mutex);
    seed = w.seed = w.seed * 6364136223846793005ull + 1442695040888963407ull;
  }
  if (const auto failure = emulation::runKernel(*node.kernel, node.size, node.args.data(), seed)) {
    std::fprintf(stderr, "emulated CUDA: %s\n", failure->c_str());
    failForGood(kIllegalAddress, *failure);
  }
}

Result nodeOf(const KernelNodeParams& p, KernelNode& node) {
  const auto* const kernel = reinterpret_cast<const KernelEntry*>(p.function);
  const uint64_t threads = uint64_t{p.blockX} * p.blockY * p.blockZ;
  if (kernel == nullptr || p.kernelParams == nullptr) return kInvalidValue;
  if (p.gridX == 0 || p.gridY == 0 || p.gridZ == 0 || threads == 0 || threads > 1024 || p.blockZ > 64) return kInvalidValue;
  if (p.gridX > 0x7fffffffu || p.gridY > 65535 || p.gridZ > 65535 || p.sharedBytes > kSharedPerBlock) return kInvalidValue;
  const auto* const args = static_cast<const std::byte*>(p.kernelParams[0]);
  node = {kernel, {{p.gridX, p.gridY, p.gridZ}, {p.blockX, p.blockY, p.blockZ}, p.sharedBytes}, {args, args + kernel->argBytes}};
  return kSuccess;
}

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

#define ANNEAL_EXPORT __attribute__((visibility("default")))
// That it is here says what this library is.
ANNEAL_EXPORT int anneal_emulated_cuda = setting("ANNEAL_CUDA_EMULATOR_HIDDEN", 0) == 0;

#define ANNEAL_CALL(name, arguments) ANNEAL_EXPORT Result name arguments;
ANNEAL_CUDA_DRIVER(ANNEAL_CALL)
#undef ANNEAL_CALL

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
Result cuGraphCreate(Graph* graph, unsigned) {
  ANNEAL_ENTER(cuGraphCreate);
  auto* const made = new GraphState;
  add(world().graphs, made);
  *graph = reinterpret_cast<Graph>(made);
  return kSuccess;
}
Result cuGraphAddKernelNode(GraphNode* node, Graph graph, const GraphNode* after, size_t count, const KernelNodeParams* params) {
  ANNEAL_ENTER(cuGraphAddKernelNode);
  if (!live(world().graphs, graph)) return kInvalidHandle;
  auto& nodes = reinterpret_cast<GraphState*>(graph)->nodes;
  // Only chains are emulated.
  const bool chained = nodes.empty() ? count == 0 : count == 1 && reinterpret_cast<KernelNode*>(*after) == nodes.back().get();
  if (!chained) return kInvalidValue;
  auto made = std::make_unique<KernelNode>();
  const Result result = nodeOf(*params, *made);
  if (result != kSuccess) return result;
  *node = reinterpret_cast<GraphNode>(made.get());
  nodes.push_back(std::move(made));
  return kSuccess;
}
Result cuGraphInstantiateWithFlags(GraphExec* exec, Graph graph, unsigned long long) {
  ANNEAL_ENTER(cuGraphInstantiate);
  if (!live(world().graphs, graph)) return kInvalidHandle;
  auto* const made = new ExecState;
  made->nodes = std::make_shared<std::vector<KernelNode>>();
  for (const auto& node : reinterpret_cast<GraphState*>(graph)->nodes) {
    made->places.emplace(node.get(), made->nodes->size());
    made->nodes->push_back(*node);
  }
  add(world().execs, made);
  *exec = reinterpret_cast<GraphExec>(made);
  return kSuccess;
}
Result cuGraphExecKernelNodeSetParams(GraphExec exec, GraphNode node, const KernelNodeParams* params) {
  ANNEAL_ENTER(cuGraphExecKernelNodeSetParams);
  if (!live(world().execs, exec)) return kInvalidHandle;
  auto& state = *reinterpret_cast<ExecState*>(exec);
  const auto place = state.places.find(reinterpret_cast<const KernelNode*>(node));
  if (place == state.places.end()) return kInvalidValue;
  // What is enqueued keeps what it was enqueued with.
  if (state.nodes.use_count() > 1) state.nodes = std::make_shared<std::vector<KernelNode>>(*state.nodes);
  return nodeOf(*params, (*state.nodes)[place->second]);
}
Result cuGraphLaunch(GraphExec exec, Stream stream) {
  ANNEAL_ENTER(cuGraphLaunch);
  if (!live(world().execs, exec) || !live(world().streams, stream)) return kInvalidHandle;
  streamOf(stream)->push([nodes = reinterpret_cast<ExecState*>(exec)->nodes] {
    for (const KernelNode& node : *nodes) execute(node);
  });
  return kSuccess;
}
Result cuGraphExecDestroy(GraphExec exec) {
  if (!remove(world().execs, exec)) return kInvalidHandle;
  delete reinterpret_cast<ExecState*>(exec);
  return kSuccess;
}
Result cuGraphDestroy(Graph graph) {
  if (!remove(world().graphs, graph)) return kInvalidHandle;
  delete reinterpret_cast<GraphState*>(graph);
  return kSuccess;
}

}  // extern "C"
}  // namespace anneal::cuda
