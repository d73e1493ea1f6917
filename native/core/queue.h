// The CPU device's queue: one thread that drains a ring of records, in order, into the thread pool.
// One producer (the JavaScript thread). Sequence numbers start at 1; completed() is the last one done.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "fault.h"
#include "park.h"
#include "plan.h"
#include "profile.h"
#include "registry.h"
#include "status.h"
#include "thread_pool.h"
#include "timing.h"

namespace anneal {

// One op call. Parameters and operands lie one right after the other, so that a record is a few cache lines on its way to
// the queue thread, not all that it could hold. Set `paramBytes` first.
struct OpRecord {
  KernelFn kernel;
  uint32_t op;
  uint32_t paramBytes;
  uint32_t nIn, nOut;
  alignas(8) std::byte payload[kMaxParamBytes + kMaxOperands * sizeof(BufferRef)];

  std::byte* params() { return payload; }
  const std::byte* params() const { return payload; }
  BufferRef* operands() { return reinterpret_cast<BufferRef*>(payload + operandsAt()); }  // inputs, then outputs
  const BufferRef* operands() const { return reinterpret_cast<const BufferRef*>(payload + operandsAt()); }
  size_t operandsAt() const { return (size_t{paramBytes} + 7) / 8 * 8; }
  OpCall call(Exec& exec) const { return {params(), operands(), operands() + nIn, nIn, nOut, exec}; }
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

// All ops of a plan, one after the other. Owns the run.
struct PlanRecord {
  PlanRun* run;
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

  // The next record, to be filled in place and then published; leaving it unpublished takes it back. Waits while the ring
  // is full (back-pressure).
  OpRecord& nextOp();
  uint64_t publishOp();  // returns the record's sequence number

  // Each waits as nextOp() does and returns the record's sequence number.
  uint64_t push(const TimedRecord& record);
  uint64_t push(const CopyRecord& record);
  uint64_t push(std::unique_ptr<PlanRun> run);
  // A run of an earlier record that is done, or a new one.
  std::unique_ptr<PlanRun> idleRun();
  uint64_t push(const FenceRecord& record);

  uint64_t completed() const { return completed_.load(std::memory_order_acquire); }
  uint64_t submitted() const { return submitted_; }
  uint64_t waits() const { return waits_; }  // how often the ring was full
  void wait(uint64_t sequence);            // blocks the calling thread
  void linger(uint64_t sequence);          // blocks it for some microseconds at most
  std::optional<Failure> takeFailure();    // since the last call; wait() first

  // Makes executions of one op fail (fault.h), or allocations of scratch memory; both wait for the queue to drain.
  void failOp(uint32_t op, uint32_t first, uint32_t times);
  void failScratch(uint32_t first, uint32_t times);

  int threads() const { return pool_->threads(); }
  void setThreads(int threads);            // waits for the queue to drain

  // From here on every op, copy and pool thread's share of an op is an event, up to `capacity` of them on each thread. Both
  // wait for the queue to drain.
  void startProfile(size_t capacity);
  std::unique_ptr<Profile> stopProfile();
  const Profile* profile() const { return profile_.get(); }  // null: none is taken

 private:
  enum class Kind : uint32_t { op, timed, copy, plan, fence };
  struct Record {
    Kind kind;
    union {
      OpRecord op;
      TimedRecord timed;
      CopyRecord copy;
      PlanRecord plan;
      FenceRecord fence;
    };
  };
  static constexpr uint64_t kCapacity = 1024;

  Record& claim();
  uint64_t publish();
  void loop();
  bool awaitRecords(uint64_t next);  // false: stop
  void failOnDemand(uint32_t op);
  void execute(const Record& record, uint64_t sequence);
  void executeOp(const OpRecord& op, const Timing* timing, uint64_t sequence);
  void executePlan(PlanRun* run, uint64_t sequence);
  void fail(uint32_t op);  // keeps the exception at hand, unless an earlier one is still to be told

  std::unique_ptr<Record[]> ring_;
  std::unique_ptr<Profile> profile_;  // as pool_, changed only while the queue thread is idle
  std::unique_ptr<ThreadPool> pool_;
  // The producer's: records published, and completed() as it last saw it.
  uint64_t submitted_ = 0;
  uint64_t seen_ = 0;
  // Each on a line of its own, since another thread writes it than the next.
  const bool fenceAll_ = canFenceAll();
uint64_t waits_ = 0;
  alignas(64) std::atomic<uint64_t> available_{0};
  alignas(64) std::atomic<uint32_t> idle_{0};  // 1: the queue thread sleeps, or is about to (park.h)
  alignas(64) std::atomic<uint64_t> completed_{0};
  alignas(64) std::atomic<uint64_t> wanted_{0};  // what the producer waits for
  std::atomic<uint32_t> blocked_{0};             // 1: and sleeps, or is about to
  std::atomic<bool> stopping_{false};
  uint32_t faultyOp_ = 0;
  Fault fault_;  // of executions of that op
  std::mutex failureMutex_;
  std::optional<Failure> failure_;
  std::mutex runsMutex_;
  std::vector<std::unique_ptr<PlanRun>> runs_;  // done
  std::thread thread_;
};

}  // namespace anneal
