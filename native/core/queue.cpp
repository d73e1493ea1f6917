#include "queue.h"

#include <cstring>
#include <new>

#include "spin.h"

namespace anneal {
namespace {

// About 25 us: a blocked read that is nearly done does not go to sleep, and a step's ops arrive faster than this.
constexpr int kSpins = 1000;

}  // namespace

Queue::Queue(int threads)
    : ring_(new Record[kCapacity]), pool_(std::make_unique<ThreadPool>(threads)), thread_([this] { loop(); }) {}

Queue::~Queue() {
  stopping_.store(true, std::memory_order_release);
  arrivals_.fetch_add(1, std::memory_order_acq_rel);
  arrivals_.notify_all();
  thread_.join();
}

Queue::Record& Queue::claim() {
  if (submitted_ - completed() >= kCapacity) wait(submitted_ - kCapacity + 1);
  return ring_[submitted_ % kCapacity];
}

uint64_t Queue::publish() {
  ++submitted_;
  available_.store(submitted_, std::memory_order_release);
  arrivals_.fetch_add(1, std::memory_order_acq_rel);
  arrivals_.notify_one();
  return submitted_;
}

uint64_t Queue::push(const OpRecord& record) {
  Record& slot = claim();
  slot.kind = Kind::op;
  new (&slot.op) OpRecord(record);
  return publish();
}

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

uint64_t Queue::push(const FenceRecord& record) {
  Record& slot = claim();
  slot.kind = Kind::fence;
  new (&slot.fence) FenceRecord(record);
  return publish();
}

void Queue::wait(uint64_t sequence) {
  for (int i = 0; i < kSpins; ++i) {
    if (completed() >= sequence) return;
    pause();
  }
  for (;;) {
    const uint32_t seen = departures_.load(std::memory_order_acquire);
    if (completed() >= sequence) return;
    departures_.wait(seen, std::memory_order_acquire);
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
}

void Queue::executeOp(const OpRecord& op, const Timing* timing) {
  const OpCall call{op.params, op.operands, op.operands + op.nIn, op.nIn, op.nOut, *pool_};
  try {
    if (timing == nullptr) op.kernel(call);
    else timeKernel(op.kernel, call, *timing);
  } catch (...) {
    Failure failure = currentFailure(opDef(op.op).name);
    const std::lock_guard<std::mutex> lock(failureMutex_);
    if (!failure_) failure_ = std::move(failure);
  }
}

void Queue::execute(Record& record) {
  switch (record.kind) {
    case Kind::op: executeOp(record.op, nullptr); break;
    case Kind::timed: executeOp(record.timed.op, &record.timed.timing); break;
    case Kind::copy: std::memcpy(record.copy.to, record.copy.from, record.copy.bytes); break;
    case Kind::fence: record.fence.done(record.fence.context, record.fence.token, takeFailure()); break;
  }
}

void Queue::loop() {
  uint64_t next = 0;
  for (;;) {
    for (int i = 0; i < kSpins && available_.load(std::memory_order_acquire) == next; ++i) {
      if (stopping_.load(std::memory_order_acquire)) return;
      pause();
    }
    for (;;) {
      const uint32_t seen = arrivals_.load(std::memory_order_acquire);
      if (stopping_.load(std::memory_order_acquire)) return;
      if (available_.load(std::memory_order_acquire) != next) break;
      arrivals_.wait(seen, std::memory_order_acquire);
    }
    execute(ring_[next % kCapacity]);
    ++next;
    completed_.store(next, std::memory_order_release);
    departures_.fetch_add(1, std::memory_order_acq_rel);
    departures_.notify_all();
  }
}

}  // namespace anneal
