// The CPU device's queue: one thread that drains a ring of records, in order, into the thread pool.
// One producer (the JavaScript thread). Sequence numbers start at 1; completed() is the last one done.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "registry.h"
#include "status.h"
#include "thread_pool.h"
#include "timing.h"

namespace anneal {

struct OpRecord {
  uint32_t op;
  uint32_t nIn, nOut;
  KernelFn kernel;
  alignas(8) std::byte params[kMaxParamBytes];
  BufferRef operands[kMaxOperands];  // inputs, then outputs
};

// An op executed many times, with the time of each sample.
struct TimedRecord {
  OpRecord op;
  Timing timing;  // `seconds` must outlive the record
};

struct CopyRecord {
  void* to;
  const void* from;
  size_t bytes;
};

// Calls back on the queue thread, with the failure of the first op that failed since the last such record, if any.
struct FenceRecord {
  void (*done)(void* context, void* token, std::optional<Failure> failure);
  void* context;
  void* token;
};

class Queue {
 public:
  explicit Queue(int threads);
  ~Queue();  // finishes the record in progress, drops the rest
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Each waits while the ring is full (back-pressure) and returns the record's sequence number.
  uint64_t push(const OpRecord& record);
  uint64_t push(const TimedRecord& record);
  uint64_t push(const CopyRecord& record);
  uint64_t push(const FenceRecord& record);

  uint64_t completed() const { return completed_.load(std::memory_order_acquire); }
  uint64_t submitted() const { return submitted_; }
  void wait(uint64_t sequence);            // blocks the calling thread
  std::optional<Failure> takeFailure();    // since the last call; wait() first

  int threads() const { return pool_->threads(); }
  void setThreads(int threads);            // waits for the queue to drain

 private:
  enum class Kind : uint32_t { op, timed, copy, fence };
  struct Record {
    Kind kind;
    union {
      OpRecord op;
      TimedRecord timed;
      CopyRecord copy;
      FenceRecord fence;
    };
  };
  static constexpr uint64_t kCapacity = 1024;

  Record& claim();
  uint64_t publish();
  void loop();
  void execute(Record& record);
  void executeOp(const OpRecord& op, const Timing* timing);

  std::unique_ptr<Record[]> ring_;
  std::unique_ptr<ThreadPool> pool_;
  uint64_t submitted_ = 0;  // producer's copy
  alignas(64) std::atomic<uint64_t> available_{0};
  alignas(64) std::atomic<uint64_t> completed_{0};
  // Futex words: the low bits of the counters above change too slowly to miss, and 32-bit waits are the native ones.
  alignas(64) std::atomic<uint32_t> arrivals_{0};
  std::atomic<uint32_t> departures_{0};
  std::atomic<bool> stopping_{false};
  std::mutex failureMutex_;
  std::optional<Failure> failure_;
  std::thread thread_;
};

}  // namespace anneal
