// The CPU device's queue: one thread that drains a ring of records, in order, into the thread pool.
// One producer (the JavaScript thread). Sequence numbers start at 1; completed() is the last one done.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "buffer_pool.h"
#include "device_queue.h"
#include "park.h"
#include "thread_pool.h"

namespace anneal {

struct CopyRecord {
  void* to;
  const void* from;
  size_t bytes;
};

// All ops of a plan, one after the other. Owns the run.
struct PlanRecord {
  PlanRun* run;
};

class Queue : public DeviceQueue {
 public:
  // `memory`: where bytes wait that are on their way to a block that is in use.
  explicit Queue(int threads, BufferPool& memory);
  ~Queue() override;  // finishes the record in progress, drops the rest
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Each waits while the ring is full (back-pressure).
  OpRecord& nextOp() override;
  uint64_t publishOp() override;
  uint64_t push(const TimedRecord& record) override;
  uint64_t push(const CopyRecord& record);
  uint64_t push(std::unique_ptr<PlanRun> run) override;
  std::unique_ptr<PlanRun> idleRun() override;
  uint64_t push(const FenceRecord& record) override;
  uint64_t write(void* to, const void* from, size_t bytes, uint64_t lastUse) override;
  uint64_t read(void* to, const void* from, size_t bytes) override { return push(CopyRecord{to, from, bytes}); }

  uint64_t completed() override { return completed_.load(std::memory_order_acquire); }
  uint64_t submitted() const override { return submitted_; }
  uint64_t waits() const override { return waits_; }
  void wait(uint64_t sequence) override;
  void linger(uint64_t sequence) override;
  std::optional<Failure> takeFailure() override;

  void failOp(uint32_t op, uint32_t first, uint32_t times) override;
  void failScratch(uint32_t first, uint32_t times) override;

  int threads() const { return pool_->threads(); }
  void setThreads(int threads);            // waits for the queue to drain

  void startProfile(size_t capacity) override;
  std::unique_ptr<Profile> stopProfile() override;
  const Profile* profile() const override { return profile_.get(); }

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

  BufferPool& memory_;
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
