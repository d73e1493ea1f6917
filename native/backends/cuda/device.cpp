#include "device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "../../core/no_exec.h"
#include "images.h"
#include "ranges.h"
#include "taking.h"

namespace anneal::cuda {
namespace {

// Records between two marks on the stream: how late completed() may notice that a record is done.
constexpr uint64_t kMarkEvery = 32;

bool isSet(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0' && std::strcmp(value, "0") != 0;
}

// "cuda/sgemm" -> "cuda", "sgemm"
std::string_view roomOf(std::string_view kernel) { return kernel.substr(0, kernel.find('/')); }

}  // namespace

// Launches at once.
class Device::StreamLauncher : public Launcher {
 public:
  explicit StreamLauncher(Device& device) : device_(device) {}

  void launch(const Launch& launch) override {
    const Function function = device_.functionOf(launch.kernel, launch.sharedBytes);
    void* params[] = {const_cast<void*>(launch.args)};
    const Result result = device_.driver_.cuLaunchKernel(
        function, launch.grid.x, launch.grid.y, launch.grid.z, launch.block.x, launch.block.y, launch.block.z,
        launch.sharedBytes, device_.compute_, params, nullptr);
    if (result != kSuccess) throw LaunchError(launch, result);
  }
  void* scratch(size_t bytes) override {
    void* const data = device_.scratch(bytes, used_);
    used_ += (bytes + 255) / 256 * 256;
    return data;
  }

 private:
  Device& device_;
  size_t used_ = 0;
};

int deviceCount() {
  const Driver& driver = cuda::driver();
  int count = 0;
  const Result result = driver.cuDeviceGetCount(&count);
  if (result == kNoDevice) return 0;
  succeed(driver, result, "cuDeviceGetCount");
  return count;
}

Device::Device(int ordinal) : driver_(cuda::driver()) {
  const int count = deviceCount();
  if (ordinal < 0 || ordinal >= count)
    raise(Code::device, "expected a device below %d, received cuda:%d", count, ordinal);
  if (!driver_.emulated) {
    if (toolkitVersion() == 0)
      raise(Code::device,
            "this build has no CUDA kernels: nvcc was not found when it was built, or ANNEAL_CUDA_ARCHS was none; install the CUDA "
            "toolkit and run \"npm rebuild anneal\"");
    // Binaries of a toolkit run on every driver of its major version or later.
    if (driver_.version / 1000 < toolkitVersion() / 1000)
      raise(Code::device,
            "the NVIDIA driver is too old: it is for CUDA %d.%d, the kernels were built with %d.%d: install a newer one",
            driver_.version / 1000, driver_.version % 1000 / 10, toolkitVersion() / 1000,
            toolkitVersion() % 1000 / 10);
  }
  succeed(driver_, driver_.cuDeviceGet(&id_, ordinal), "cuDeviceGet");
  char name[256] = "";
  succeed(driver_, driver_.cuDeviceGetName(name, sizeof name, id_), "cuDeviceGetName");
  facts_.name = name;
  succeed(driver_, driver_.cuDeviceTotalMem_v2(&facts_.memoryBytes, id_), "cuDeviceTotalMem");
  const auto attribute = [&](Attribute which) {
    int value = 0;
    succeed(driver_, driver_.cuDeviceGetAttribute(&value, which, id_), "cuDeviceGetAttribute");
    return value;
  };
  traits_.major = attribute(Attribute::computeCapabilityMajor);
  traits_.minor = attribute(Attribute::computeCapabilityMinor);
  traits_.multiprocessors = attribute(Attribute::multiprocessorCount);
  traits_.sharedPerBlock = attribute(Attribute::maxSharedMemoryPerBlockOptin);
  traits_.sharedPerMultiprocessor = attribute(Attribute::maxSharedMemoryPerMultiprocessor);
  traits_.l2Bytes = attribute(Attribute::l2CacheSize);
  facts_.clockKilohertz = attribute(Attribute::clockRate);
  facts_.memoryClockKilohertz = attribute(Attribute::memoryClockRate);
  facts_.memoryBusBits = attribute(Attribute::memoryBusWidth);

  succeed(driver_, driver_.cuDevicePrimaryCtxRetain(&context_, id_), "cuDevicePrimaryCtxRetain");
  try {
    succeed(driver_, driver_.cuCtxSetCurrent(context_), "cuCtxSetCurrent");
    Result created = driver_.cuStreamCreate(&compute_, kStreamNonBlocking);
    if (isSticky(created)) {
      // It was lost before: what is left of that goes, and the context begins anew.
      succeed(driver_, driver_.cuDevicePrimaryCtxReset_v2(id_), "cuDevicePrimaryCtxReset");
      succeed(driver_, driver_.cuDevicePrimaryCtxRetain(&context_, id_), "cuDevicePrimaryCtxRetain");
      succeed(driver_, driver_.cuCtxSetCurrent(context_), "cuCtxSetCurrent");
      created = driver_.cuStreamCreate(&compute_, kStreamNonBlocking);
    }
    succeed(driver_, created, "cuStreamCreate");
    succeed(driver_, driver_.cuStreamCreate(&copies_, kStreamNonBlocking), "cuStreamCreate");
    const bool ordered = attribute(Attribute::memoryPoolsSupported) != 0 && !isSet("ANNEAL_CUDA_NO_POOL");
    if (ordered) {
      // Our own pool keeps what is free: the driver's need not, and must not give it back at each synchronisation.
      uint64_t all = UINT64_MAX;
      succeed(driver_, driver_.cuDeviceGetDefaultMemPool(&pool_, id_), "cuDeviceGetDefaultMemPool");
      succeed(driver_, driver_.cuMemPoolSetAttribute(pool_, kPoolReleaseThreshold, &all), "cuMemPoolSetAttribute");
    }
    memory_ = std::make_unique<DeviceMemory>(driver_, compute_, ordered);
    pinned_ = std::make_unique<PinnedMemory>(driver_);
    buffers_ = std::make_unique<BufferPool>(*memory_);
    staging_ = std::make_unique<BufferPool>(*pinned_);
    landing_ = std::make_unique<BufferPool>(*pinned_);
    waiter_ = std::make_unique<Waiter>(driver_, context_);
  } catch (...) {
    if (copies_ != nullptr) driver_.cuStreamDestroy_v2(copies_);
    if (compute_ != nullptr) driver_.cuStreamDestroy_v2(compute_);
    driver_.cuDevicePrimaryCtxRelease_v2(id_);
    throw;
  }
}

Device::~Device() {
  const bool wasLost = waiter_->isLost();
  waiter_.reset();
  if (wasLost) {
    // The driver refuses everything, or the device was opened anew, which took what this one had.
    memory_->abandon();
    pinned_->abandon();
  } else {
    driver_.cuCtxSetCurrent(context_);
    driver_.cuStreamSynchronize(copies_);
    driver_.cuStreamSynchronize(compute_);
  }
  for (auto& [plan, graph] : graphs_)
    if (wasLost) graph.abandon();
  graphs_.clear();
  if (scratch_.data != nullptr) buffers_->give(scratch_);
  buffers_.reset();
  staging_.reset();
  landing_.reset();
  if (wasLost) return;
  for (const auto& markers : {markers_, copyMarkers_})
    for (const Marker& marker : markers) driver_.cuEventDestroy_v2(marker.event);
  for (Event event : idleEvents_) driver_.cuEventDestroy_v2(event);
  for (const auto& [room, module] : modules_) driver_.cuModuleUnload(module);
  driver_.cuStreamDestroy_v2(copies_);
  driver_.cuStreamDestroy_v2(compute_);
  driver_.cuDevicePrimaryCtxRelease_v2(id_);
}

void Device::mayFail(uint32_t op) {
  if (op == faultyOp_ && fault_.hit()) raise(Code::internal, "failed, as was asked for");
}

void Device::requireAlive() const {
  if (!waiter_->isLost()) return;
  if (const auto lost = waiter_->lost())
    raise(Code::device, "the device was lost, device.request opens it anew (%s)", lost->message.c_str());
}

void Device::check(Result result, const char* call) {
  if (isSticky(result)) waiter_->lose({Code::device, std::string("cuda: ") + call + ": " + describe(driver_, result)});
  succeed(driver_, result, call);
}

void Device::fail(const char* op, const std::string& message, Result result) {
  Failure failure{result == kOutOfMemory ? Code::oom : Code::device, std::string(op) + ": " + message};
  if (isSticky(result)) waiter_->lose(std::move(failure));
  else waiter_->fail(std::move(failure));
}

// ---- Records ----

uint64_t Device::publishOp() {
  requireAlive();
  driver_.cuCtxSetCurrent(context_);
  NoExec none;
  launchAll(next_.op, next_.call(none), 0);
  const uint64_t sequence = ++submitted_;
  if (sequence - marked_ >= kMarkEvery) mark();
  return sequence;
}

void Device::launchAll(uint32_t op, const OpCall& call, uint32_t index) {
  const char* const name = opDef(op).name;
  const bool timed = profile_ && profile_->entries.size() < profile_->capacity;
  if (profile_ && !timed) ++profile_->dropped;
  const RangeScope range(profile_ ? name : nullptr);
  if (timed) {
    profile_->entries.push_back({event(0), event(0), submitted_ + 1, index, op});
    driver_.cuEventRecord(profile_->entries.back().start, compute_);
  }
  try {
    mayFail(op);
    StreamLauncher launcher(*this);
    launchOp(op, call, traits_, launcher);
    if (isSet("ANNEAL_CUDA_BLOCKING")) {
      const Result result = driver_.cuStreamSynchronize(compute_);
      if (result != kSuccess) fail(name, describe(driver_, result), result);
    }
  } catch (const LaunchError& error) {
    fail(name, error.launch + ": " + describe(driver_, error.result), error.result);
  } catch (...) {
    waiter_->fail(currentFailure(name));
  }
  if (timed) driver_.cuEventRecord(profile_->entries.back().end, compute_);
}

std::unique_ptr<PlanRun> Device::idleRun() { return idle_ ? std::move(idle_) : std::make_unique<PlanRun>(); }

void Device::forget(const Plan& plan) {
  const auto found = graphs_.find(&plan);
  if (found == graphs_.end()) return;
  forgotten_.made += found->second.made();
  forgotten_.changed += found->second.changed();
  graphs_.erase(found);
}

GraphCounts Device::graphCounts() const {
  GraphCounts counts = forgotten_;
  for (const auto& [plan, graph] : graphs_) {
    counts.made += graph.made();
    counts.changed += graph.changed();
  }
  return counts;
}

uint64_t Device::push(std::unique_ptr<PlanRun> run) {
  requireAlive();
  driver_.cuCtxSetCurrent(context_);
  if (profile_ != nullptr || isSet("ANNEAL_CUDA_BLOCKING")) {
    uint32_t index = 0;
    NoExec none;
    for (const PlanOp& op : run->plan->ops) launchAll(op.op, run->call(op, none), index++);
  } else {
    PlanGraph& graph = graphs_.try_emplace(run->plan.get(), *this).first->second;
    const char* op = "plan";
    try {
      graph.prepare(*run, op);
      const Result result = graph.exec() == nullptr ? kSuccess : driver_.cuGraphLaunch(graph.exec(), compute_);
      if (result != kSuccess) fail(op, "cuGraphLaunch: " + describe(driver_, result), result);
    } catch (const LaunchError& error) {
      graph.drop();
      fail(op, error.launch + ": " + describe(driver_, error.result), error.result);
    } catch (...) {
      graph.drop();
      waiter_->fail(currentFailure(op));
    }
  }
  idle_ = std::move(run);  // launched: the driver has copied the arguments
  ++submitted_;
  mark();
  return submitted_;
}

// ---- Host values ----

uint64_t Device::copiesDone() {
  while (!copyMarkers_.empty() && driver_.cuEventQuery(copyMarkers_.front().event) == kSuccess) {
    idleEvents_.push_back(copyMarkers_.front().event);
    copyMarkers_.pop_front();
  }
  return copyMarkers_.empty() ? copied_ : copyMarkers_.front().sequence - 1;
}

uint64_t Device::write(void* to, const void* from, size_t bytes, uint64_t lastUse) {
  requireAlive();
  driver_.cuCtxSetCurrent(context_);
  Block block = staging_->takeIdle(bytes, copiesDone());
  std::memcpy(block.data, from, bytes);
  block.lastUse = ++copied_;
  Result result = kSuccess;
  const auto step = [&](Result next) { if (result == kSuccess) result = next; };
  if (memory_->takeFresh()) {
    mark(true);
    step(driver_.cuStreamWaitEvent(copies_, markers_.back().event, 0));
  } else if (lastUse > completed()) step(driver_.cuStreamWaitEvent(copies_, markerAfter(lastUse), 0));
  step(driver_.cuMemcpyHtoDAsync_v2(reinterpret_cast<Pointer>(to), block.data, bytes, copies_));
  const Event done = event();
  step(driver_.cuEventRecord(done, copies_));
  step(driver_.cuStreamWaitEvent(compute_, done, 0));
  copyMarkers_.push_back({copied_, done});
  staging_->give(block);
  if (result != kSuccess) fail("write", describe(driver_, result), result);
  return ++submitted_;
}

size_t Device::trim() {
  if (waiter_->isLost()) return 0;
  driver_.cuCtxSetCurrent(context_);
  const size_t returned = staging_->trim(copiesDone()) + landing_->trim(landed_.load(std::memory_order_acquire));
  if (pool_ != nullptr) {
    // What the driver's pool was given back is free once the stream has come there.
    if (completed() == submitted_) driver_.cuStreamSynchronize(compute_);
    driver_.cuMemPoolTrimTo(pool_, 0);
  }
  return returned;
}

uint64_t Device::read(void* to, const void* from, size_t bytes) {
  requireAlive();
  driver_.cuCtxSetCurrent(context_);
  Block block = landing_->takeIdle(bytes, landed_.load(std::memory_order_acquire));
  block.lastUse = ++landings_;
  Result result = driver_.cuMemcpyDtoHAsync_v2(block.data, reinterpret_cast<Pointer>(from), bytes, compute_);
  const Event done = event(kEventDisableTiming | kEventBlockingSync);
  if (result == kSuccess) result = driver_.cuEventRecord(done, compute_);
  if (result != kSuccess) fail("read", describe(driver_, result), result);
  // Counted even where the device fails, since the waiter then calls nothing: its memory goes with the context.
  waiter_->after(done, [this, to, data = block.data, bytes, number = landings_] {
    std::memcpy(to, data, bytes);
    landed_.store(number, std::memory_order_release);
  });
  landing_->give(block);
  return ++submitted_;
}

uint64_t Device::push(const FenceRecord& record) {
  Event over = nullptr;
  if (!waiter_->isLost()) {
    // Whoever awaits the fence is told what goes wrong here, as of everything else.
    try {
      driver_.cuCtxSetCurrent(context_);
      over = event(kEventDisableTiming | kEventBlockingSync);
      check(driver_.cuEventRecord(over, compute_), "cuEventRecord");
    } catch (...) {
      waiter_->fail(currentFailure("sync"));
    }
  }
  waiter_->fence(over, record.done, record.context, record.token);
  return ++submitted_;
}

void Device::wait(uint64_t) {
  waiter_->drain();
  if (waiter_->isLost()) return;
  driver_.cuCtxSetCurrent(context_);
  for (Stream stream : {copies_, compute_}) {
    const Result result = driver_.cuStreamSynchronize(stream);
    if (result != kSuccess) {
      fail("sync", describe(driver_, result), result);
      return;
    }
  }
  for (const Marker& marker : markers_) idleEvents_.push_back(marker.event);
  markers_.clear();
  completed_ = marked_ = submitted_;
}

// ---- Marks ----

Event Device::event(unsigned flags) {
  // Only those without a clock are many.
  if (flags == kEventDisableTiming && !idleEvents_.empty()) {
    const Event idle = idleEvents_.back();
    idleEvents_.pop_back();
    return idle;
  }
  if (flags == (kEventDisableTiming | kEventBlockingSync))
    if (const auto idle = waiter_->takeIdle()) return *idle;
  Event made = nullptr;
  check(driver_.cuEventCreate(&made, flags), "cuEventCreate");
  return made;
}

void Device::mark(bool always) {
  if (marked_ == submitted_ && !always) return;
  const Event made = event();
  const Result result = driver_.cuEventRecord(made, compute_);
  if (result != kSuccess) fail("mark", describe(driver_, result), result);
  marked_ = submitted_;
  markers_.push_back({marked_, made});
}

uint64_t Device::completed() {
  while (!markers_.empty()) {
    const Result result = driver_.cuEventQuery(markers_.front().event);
    if (result == kNotReady) break;
    if (result != kSuccess) {
      fail("cuda", "an op enqueued before failed on the device (" + describe(driver_, result) + ")", result);
      break;
    }
    completed_ = markers_.front().sequence;
    idleEvents_.push_back(markers_.front().event);
    markers_.pop_front();
  }
  return completed_;
}

Event Device::markerAfter(uint64_t sequence) {
  for (const Marker& marker : markers_)
    if (marker.sequence >= sequence) return marker.event;
  mark();
  return markers_.back().event;
}

// ---- Kernels ----

Function Device::functionOf(const char* kernel, uint32_t sharedBytes) {
  auto found = functions_.find(kernel);
  if (found == functions_.end()) {
    const std::string_view room = roomOf(kernel);
    auto module = modules_.find(room);
    if (module == modules_.end()) {
      const Image* const image = imageOf(room);
      if (image == nullptr && !driver_.emulated)
        raise(Code::device, "this build has no CUDA kernels of %.*s", static_cast<int>(room.size()), room.data());
      Module loaded = nullptr;
      const Result result = driver_.cuModuleLoadData(&loaded, driver_.emulated ? kernel : static_cast<const void*>(image->data));
      if (result == kNoBinaryForGpu)
        raise(Code::device, "no kernels for a GPU of compute capability %d.%d: expected 7.5 or later", traits_.major, traits_.minor);
      check(result, "cuModuleLoadData");
      module = modules_.emplace(room, loaded).first;
    }
    Function function = nullptr;
    check(driver_.cuModuleGetFunction(&function, module->second, kernel + room.size() + 1), kernel);
    found = functions_.emplace(kernel, function).first;
  }
  // Beyond 48 KB a kernel must be told.
  uint32_t& allowed = sharedBytes_.try_emplace(kernel, 48u << 10).first->second;
  if (sharedBytes > allowed) {
    check(driver_.cuFuncSetAttribute(found->second, kMaxDynamicSharedSize, static_cast<int>(sharedBytes)),
            "cuFuncSetAttribute");
    allowed = sharedBytes;
  }
  return found->second;
}

void* Device::scratch(size_t bytes, size_t at) {
  if (scratchFault_.hit()) raise(Code::oom, "out of scratch memory, as was asked for: %zu bytes", bytes);
  if (at + bytes > scratch_.capacity) {
    // What launches that are queued, those of this op included, still use stays theirs: whatever takes it is queued behind.
    Block larger = buffers_->takeBlock(std::max(at + bytes, 2 * scratch_.capacity));
    // Host values go by another stream, and wait for the last use.
    scratch_.lastUse = submitted_ + 1;
    if (scratch_.data != nullptr) buffers_->give(scratch_);
    scratch_ = larger;
  }
  return scratch_.data + at;
}

// ---- Failures on demand ----

void Device::failOp(uint32_t op, uint32_t first, uint32_t times) {
  wait(submitted_);
  faultyOp_ = op;
  fault_.arm(first, times);
}

void Device::failScratch(uint32_t first, uint32_t times) {
  wait(submitted_);
  scratchFault_.arm(first, times);
}

}  // namespace anneal::cuda
