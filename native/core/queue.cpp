#include "queue.h"

#include <chrono>
#include <cstring>
#include <new>

#include "half.h"
#include "park.h"
#include "slice.h"
#include "spin.h"

namespace anneal {
namespace {

// JavaScript, for a result: its core is soon a helper's, if the result takes longer than a few small ops.
constexpr Patience kForResult{1000, 100};
// JavaScript, for what a promise will bring, before it goes back to its event loop: that would sleep, and be woken later than
// a small net's step takes. A step of 784-128-10, awaited, batch 1 / 32: 86 / 197 us without, 58 / 109 with 4000 spins,
// 58 / 153 with 2000, 65 / 137 with 100 yields instead (two threads on the machine of park.h, 2026-11-25). With 8000 a step
// of batch 32 alone is quicker still (115 to 138 us captured for 136 to 189), but not beside a server, whose event loop then waits 6.0
// ms where it waits 5.3 (p99; `bench --only eventloop`).
constexpr Patience kForPromise{4000, 0};
// The queue thread, for records: about as long as JavaScript thinks between two steps.
constexpr Patience kForRecords{2000, 0};

// Records behind the one at hand that are more than a small step's: JavaScript is far ahead, and will wait for them.
constexpr uint64_t kBacklog = 32;

// Cache lines of a record that a small op fills.
constexpr size_t kWrittenLines = 4;

// Microseconds of a plan, on one thread, above which its ops, each of them small, are worth waking helpers for: what
// thread_pool.cpp says of one op. A captured step of 13 dense layers of 128, batch 128, two threads: 1.14 ms without, 1.04 with
// (interleaved, 2-core AMD EPYC, 2026-11-25).
constexpr double kLongPlan = 300;
// What two threads make of it, about: a plan must not fall below the limit because helpers took part.
constexpr double kSpeedUp = 1.6;

// Runs that are kept for the next ones: what a training loop has on its way. A burst of more leaves nothing behind.
constexpr size_t kIdleRuns = 8;

}  // namespace

Queue::Queue(int threads, BufferPool& memory)
    : memory_(memory), ring_(new Record[kCapacity]), pool_(std::make_unique<ThreadPool>(threads)), thread_([this] { loop(); }) {}

Queue::~Queue() {
  stopping_.store(true, std::memory_order_seq_cst);
  idle_.store(0, std::memory_order_seq_cst);
  wakeAll(idle_);
  thread_.join();
  for (uint64_t next = completed(); next != submitted_; ++next)
    if (const Record& dropped = ring_[next % kCapacity]; dropped.kind == Kind::plan) delete dropped.plan.run;
}

Queue::Record& Queue::claim() {
  if (submitted_ - seen_ >= kCapacity) {
    // Until half of the ring is free: to wake for each record that leaves would cost more than the records.
    seen_ = completed();
    if (submitted_ - seen_ >= kCapacity) {
      ++waits_;
      wait(submitted_ - kCapacity / 2);
      seen_ = completed();
    }
  }
  return ring_[submitted_ % kCapacity];
}

uint64_t Queue::publish() {
  ++submitted_;
  available_.store(submitted_, std::memory_order_release);
  // The next record's lines lie in the queue thread's cache: have them back by the time it is written.
  const char* const next = reinterpret_cast<const char*>(&ring_[submitted_ % kCapacity]);
  for (size_t line = 0; line < kWrittenLines; ++line) __builtin_prefetch(next + 64 * line, 1);
  wakerFence(fenceAll_);
  if (idle_.load(std::memory_order_relaxed) != 0) {
    idle_.store(0, std::memory_order_seq_cst);
    wakeAll(idle_);
  }
  return submitted_;
}

OpRecord& Queue::nextOp() {
  Record& slot = claim();
  slot.kind = Kind::op;
  return slot.op;
}

uint64_t Queue::publishOp() { return publish(); }

uint64_t Queue::push(const TimedRecord& record) {
  Record& slot = claim();
  slot.kind = Kind::timed;
  new (&slot.timed) TimedRecord(record);
  return publish();
}

uint64_t Queue::push(const CopyRecord& record) {
  Record& slot = claim();
  slot.kind = Kind::copy;
  new (&slot.copy) CopyRecord(record);
  return publish();
}

uint64_t Queue::push(std::unique_ptr<PlanRun> run) {
  Record& slot = claim();
  slot.kind = Kind::plan;
  new (&slot.plan) PlanRecord{run.release()};
  return publish();
}

std::unique_ptr<PlanRun> Queue::idleRun() {
  const std::lock_guard<std::mutex> lock(runsMutex_);
  if (runs_.empty()) return std::make_unique<PlanRun>();
  std::unique_ptr<PlanRun> run = std::move(runs_.back());
  runs_.pop_back();
  return run;
}

uint64_t Queue::push(const FenceRecord& record) {
  Record& slot = claim();
  slot.kind = Kind::fence;
  new (&slot.fence) FenceRecord(record);
  return publish();
}

uint64_t Queue::write(void* to, const void* from, size_t bytes, uint64_t lastUse) {
  if (lastUse <= completed()) {
    std::memcpy(to, from, bytes);
    return lastUse;
  }
  // A queued op still uses the block: the bytes go through the queue, so that the caller need not wait.
  Block staging = memory_.takeIdle(bytes, completed());
  std::memcpy(staging.data, from, bytes);
  staging.lastUse = push(CopyRecord{to, staging.data, bytes});
  memory_.give(staging);
  return staging.lastUse;
}

void Queue::linger(uint64_t sequence) {
  anneal::linger(kForPromise, [&] { return completed() >= sequence; });
}

void Queue::wait(uint64_t sequence) {
  if (anneal::linger(kForResult, [&] { return completed() >= sequence; })) return;
  while (completed() < sequence) {
    wanted_.store(sequence, std::memory_order_relaxed);
    blocked_.store(1, std::memory_order_seq_cst);
    sleeperFence(fenceAll_);
    if (completed_.load(std::memory_order_seq_cst) < sequence) sleepOn(blocked_, 1);
    blocked_.store(0, std::memory_order_relaxed);
  }
}

std::optional<Failure> Queue::takeFailure() {
  const std::lock_guard<std::mutex> lock(failureMutex_);
  std::optional<Failure> failure = std::move(failure_);
  failure_.reset();
  return failure;
}

void Queue::setThreads(int threads) {
  wait(submitted_);
  // The queue thread is idle and touches the pool only for records it has yet to see.
  pool_ = std::make_unique<ThreadPool>(threads);
  if (profile_) profile_->grow(threads);
  pool_->setProfile(profile_.get());
}

void Queue::startProfile(size_t capacity) {
  if (profile_) raise(Code::argument, "expected no other profile to be taken, received a second");
  wait(submitted_);
  profile_ = std::make_unique<Profile>(capacity, threads());
  pool_->setProfile(profile_.get());
}

std::unique_ptr<Profile> Queue::stopProfile() {
  wait(submitted_);
  pool_->setProfile(nullptr);
  return std::move(profile_);
}

void Queue::failOp(uint32_t op, uint32_t first, uint32_t times) {
  wait(submitted_);
  faultyOp_ = op;
  fault_.arm(first, times);
}

void Queue::failScratch(uint32_t first, uint32_t times) {
  wait(submitted_);
  pool_->fault().arm(first, times);
}

void Queue::failOnDemand(uint32_t op) {
  if (op == faultyOp_ && fault_.hit()) raise(Code::internal, "failed, as was asked for");
}

void Queue::executeOp(const OpRecord& op, const Timing* timing, uint64_t sequence) {
  const ProfileScope profiled(profile_.get(), sequence, 0, op.op);
  const OpCall call = op.call(*pool_);
  try {
    failOnDemand(op.op);
    if (timing == nullptr) runKernel(op.kernel, op.isa, call);
    else timeKernel(op.kernel, op.isa, call, *timing);
  } catch (...) {
    fail(op.op);
  }
}

void Queue::executePlan(PlanRun* run, uint64_t sequence) {
  std::unique_ptr<PlanRun> owned(run);
  const Plan& plan = *run->plan;
  const bool isLong = plan.us > kLongPlan;
  if (isLong) pool_->setBacklog(true);
  const auto start = std::chrono::steady_clock::now();
  uint32_t index = 0;
  for (const PlanOp& op : plan.ops) {
    if (stopping_.load(std::memory_order_relaxed)) break;
    const ProfileScope profiled(profile_.get(), sequence, index++, op.op);
    try {
      failOnDemand(op.op);
      runKernel(kernel(run->isa, op.op), run->isa, run->call(op, *pool_));
    } catch (...) {
      fail(op.op);
    }
  }
  const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - start;
  plan.us = isLong && pool_->threads() > 1 ? taken.count() * kSpeedUp : taken.count();
  owned->plan.reset();
  const std::lock_guard<std::mutex> lock(runsMutex_);
  if (runs_.size() < kIdleRuns) runs_.push_back(std::move(owned));
}

void Queue::fail(uint32_t op) {
  Failure failure = currentFailure(opDef(op).name);
  const std::lock_guard<std::mutex> lock(failureMutex_);
  if (!failure_) failure_ = std::move(failure);
}

void Queue::execute(const Record& record, uint64_t sequence) {
  switch (record.kind) {
    case Kind::op: executeOp(record.op, nullptr, sequence); break;
    case Kind::timed: executeOp(record.timed.op, &record.timed.timing, sequence); break;
    case Kind::plan: executePlan(record.plan.run, sequence); break;
    case Kind::copy: {
      const ProfileScope profiled(profile_.get(), sequence, 0, kProfiledCopy);
      std::memcpy(record.copy.to, record.copy.from, record.copy.bytes);
      break;
    }
    case Kind::fence: record.fence.done(record.fence.context, record.fence.token, takeFailure()); break;
  }
}

bool Queue::awaitRecords(uint64_t next) {
  anneal::linger(kForRecords, [&] {
    return available_.load(std::memory_order_acquire) != next || stopping_.load(std::memory_order_acquire);
  });
  if (stopping_.load(std::memory_order_acquire)) return false;
  while (available_.load(std::memory_order_acquire) == next) {
    idle_.store(1, std::memory_order_seq_cst);
    sleeperFence(fenceAll_);
    if (stopping_.load(std::memory_order_seq_cst)) return false;
    if (available_.load(std::memory_order_seq_cst) == next) sleepOn(idle_, 1);
    idle_.store(0, std::memory_order_relaxed);
  }
  return true;
}

void Queue::loop() {
  takeLongSlices();
  for (uint64_t next = 0; awaitRecords(next);) {
    for (const uint64_t end = available_.load(std::memory_order_acquire); next != end;) {
      if (stopping_.load(std::memory_order_acquire)) return;
      pool_->setBacklog(available_.load(std::memory_order_acquire) - next > kBacklog);
      execute(ring_[next % kCapacity], next + 1);
      ++next;
      completed_.store(next, std::memory_order_release);
      wakerFence(fenceAll_);
      if (blocked_.load(std::memory_order_relaxed) != 0 && next >= wanted_.load(std::memory_order_relaxed)) {
        blocked_.store(0, std::memory_order_seq_cst);
        wakeAll(blocked_);
      }
    }
  }
}

}  // namespace anneal
