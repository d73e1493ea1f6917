// The state behind the emulated driver's calls (libcuda.cpp, graphs.cpp): streams, events, memory, and which call is to fail.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../../native/backends/cuda/driver.h"
#include "emulator.h"

namespace anneal::cuda {

#define ANNEAL_EXPORT __attribute__((visibility("default")))
extern "C" {
#define ANNEAL_CALL(name, arguments) ANNEAL_EXPORT Result name arguments;
ANNEAL_CUDA_DRIVER(ANNEAL_CALL)
#undef ANNEAL_CALL
}

constexpr Result kInvalidValue = 1, kNotInitialized = 3, kInvalidContext = 201, kInvalidHandle = 400, kNotFound = 500,
                 kIllegalAddress = 700;
constexpr size_t kSharedPerBlock = 227 << 10;

int64_t setting(const char* variable, int64_t otherwise);

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

World& world();

// What the call of this name is to give, if a test asked for that.
// `ofContext`: it is refused once the context is broken, and such an error breaks it.
Result asked(const char* name, bool ofContext);

#define ANNEAL_ENTER(name)                                          \
  if (const Result asked_ = asked(#name, true); asked_ != kSuccess) \
  return asked_
#define ANNEAL_ENTER_DEVICE(name)                                    \
  if (const Result asked_ = asked(#name, false); asked_ != kSuccess) \
  return asked_

// Of handles.
bool live(const std::set<const void*>& set, const void* handle);
void add(std::set<const void*>& set, const void* handle);
bool remove(std::set<const void*>& set, const void* handle);

// Whether the bytes lie in one allocation.
bool within(Pointer pointer, size_t bytes);
// From here on every call gives the result.
void failForGood(Result result, const std::string& what);

inline StreamState* streamOf(Stream stream) { return reinterpret_cast<StreamState*>(stream); }
inline EventState* eventOf(Event event) { return reinterpret_cast<EventState*>(event); }

// What a launch asks for, or why it is refused.
Result nodeOf(const KernelNodeParams& p, KernelNode& node);
// Runs a kernel on the thread that calls.
void execute(const KernelNode& node);

}  // namespace anneal::cuda
