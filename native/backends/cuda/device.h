// One CUDA device of one JavaScript environment: a stream that ops are launched on, one that host values are copied on, memory, and
// a thread that waits for what was asked to be read.
//
// JavaScript launches, which takes microseconds, and waits for nothing but wait().
//
// Errors. A call that the driver refuses, and a kernel that fails, is kept with the op's name until the next fence, as on the CPU.
// After some errors the driver refuses everything: the device is lost, every call from then on raises E_DEVICE, and the rest of
// the process goes on. Opening the device again resets it.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "../../core/buffer_pool.h"
#include "../../core/device_queue.h"
#include "driver.h"
#include "launch.h"
#include "memory.h"
#include "plan_graph.h"
#include "waiter.h"

namespace anneal::cuda {

struct DeviceFacts {
  std::string name;
  size_t memoryBytes;
  int clockKilohertz, memoryClockKilohertz, memoryBusBits;
};

// How many devices the driver has. Raises E_DEVICE with the reason where it cannot be asked.
int deviceCount();

// Over all plans of a device.
struct GraphCounts {
  uint64_t made = 0;     // graphs instantiated
  uint64_t changed = 0;  // kernels in them that got other arguments
};

class Device : public DeviceQueue {
 public:
  // Raises E_DEVICE with the reason.
  explicit Device(int ordinal);
  ~Device() override;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const Traits& traits() const { return traits_; }
  const DeviceFacts& facts() const { return facts_; }
  void setPrecision(Precision precision) { traits_.precision = precision; }
  BufferPool& buffers() { return *buffers_; }
  GraphCounts graphCounts() const;

  OpRecord& nextOp() override { return next_; }
  uint64_t publishOp() override;
  uint64_t push(const TimedRecord& record) override;
  uint64_t push(std::unique_ptr<PlanRun> run) override;
  std::unique_ptr<PlanRun> idleRun() override;
  void forget(const Plan& plan) override;
  uint64_t push(const FenceRecord& record) override;
  // Only `lastUse` is waited for, so that copying overlaps with whatever else is queued.
  uint64_t write(void* to, const void* from, size_t bytes, uint64_t lastUse) override;
  uint64_t read(void* to, const void* from, size_t bytes) override;
  size_t trim() override;

  uint64_t completed() override;
  uint64_t submitted() const override { return submitted_; }
  uint64_t waits() const override { return 0; }
  void wait(uint64_t sequence) override;
  void linger(uint64_t) override { waiter_->linger(); }
  std::optional<Failure> takeFailure() override { return waiter_->takeFailure(); }

  void failOp(uint32_t op, uint32_t first, uint32_t times) override;
  void failScratch(uint32_t first, uint32_t times) override;

  // Events are the ops', from the GPU's clock; there are no threads.
  void startProfile(size_t capacity) override;
  std::unique_ptr<Profile> stopProfile() override;
  const Profile* profile() const override;

 private:
  friend class PlanGraph;
  class StreamLauncher;
  struct Marker {
    uint64_t sequence;
    Event event;
  };
  struct Taking;

  const Driver& driver() const { return driver_; }
  void requireAlive() const;
  void mayFail(uint32_t op);
  // Raises unless the call succeeded.
  void check(Result result, const char* call);
  // Keeps what a call of `op` failed with.
  void fail(const char* op, const std::string& message, Result result);
  // `index`: of the op in its record, the next one.
  void launchAll(uint32_t op, const OpCall& call, uint32_t index);
  Function functionOf(const char* kernel, uint32_t sharedBytes);
  void* scratch(size_t bytes, size_t at);
  Event event(unsigned flags = kEventDisableTiming);
  void mark(bool always = false);  // unless nothing was submitted since the last
  uint64_t copiesDone();  // of those to the device, in their order
  // A marker at or after the record: everything up to it is done when its event is.
  Event markerAfter(uint64_t sequence);

  const Driver& driver_;
  DeviceId id_ = 0;
  Context context_ = nullptr;
  Stream compute_ = nullptr, copies_ = nullptr;
  MemoryPool pool_ = nullptr;  // null: memory comes by cuMemAlloc
  Traits traits_{};
  DeviceFacts facts_{};
  std::unique_ptr<DeviceMemory> memory_;
  std::unique_ptr<PinnedMemory> pinned_;
  std::unique_ptr<BufferPool> buffers_, staging_, landing_;  // device memory; pinned memory on its way there, and back
  std::unique_ptr<Waiter> waiter_;
  std::unordered_map<std::string_view, Module> modules_;
  std::unordered_map<std::string_view, Function> functions_;
  std::unordered_map<std::string_view, uint32_t> sharedBytes_;
  uint64_t submitted_ = 0, completed_ = 0, marked_ = 0;
  uint64_t copied_ = 0;                   // copies to the device
  uint64_t landings_ = 0;                 // copies from it
  std::atomic<uint64_t> landed_{0};       // and those that are done
  std::deque<Marker> markers_;      // on the compute stream, oldest first
  std::deque<Marker> copyMarkers_;  // on the stream of copies, by number of the copy
  std::vector<Event> idleEvents_;
  Block scratch_;
  OpRecord next_;
  std::unique_ptr<PlanRun> idle_;
  std::unordered_map<const Plan*, PlanGraph> graphs_;
  GraphCounts forgotten_;  // of plans that are gone
  uint32_t faultyOp_ = 0;
  Fault fault_, scratchFault_;
  std::unique_ptr<Taking> profile_;
};

}  // namespace anneal::cuda
