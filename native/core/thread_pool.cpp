#include "thread_pool.h"

#include <cstdlib>
#include <limits>

#include "spin.h"

namespace anneal {
namespace {

// About 10 us on a current core: longer than the gap between two ops of a step, shorter than anyone would notice.
constexpr int kSpins = 400;

// Spins while `atom` holds `value`, then sleeps until it changes.
void await(const std::atomic<uint32_t>& atom, uint32_t value) {
  for (int i = 0; i < kSpins; ++i) {
    if (atom.load(std::memory_order_acquire) != value) return;
    pause();
  }
  atom.wait(value, std::memory_order_acquire);
}

constexpr uint64_t pack(uint32_t epoch, uint32_t tasks) { return (uint64_t{epoch} << 32) | tasks; }

}  // namespace

ThreadPool::ThreadPool(int threads)
    : scratch_(static_cast<size_t>(threads) * kScratchSlots), shares_(static_cast<size_t>(threads)) {
  helpers_.reserve(static_cast<size_t>(threads) - 1);
  for (int worker = 1; worker < threads; ++worker) helpers_.emplace_back([this, worker] { helperLoop(worker); });
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_release);
  wake_.fetch_add(1, std::memory_order_acq_rel);
  wake_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
  for (const ScratchBlock& block : scratch_) std::free(block.data);
}

void ThreadPool::helperLoop(int worker) {
  uint32_t seen = 0;
  for (;;) {
    await(wake_, seen);
    seen = wake_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_acquire)) return;
    work(seen, worker);
  }
}

uint32_t ThreadPool::shareEnd(uint32_t worker) const {
  return static_cast<uint32_t>(uint64_t{count_} * (worker + 1) / shares_.size());
}

uint32_t ThreadPool::workOn(uint32_t share, uint32_t epoch, int worker) {
  std::atomic<uint64_t>& tasks = shares_[share].open;
  uint32_t finished = 0;
  uint64_t open = tasks.load(std::memory_order_acquire);
  while ((open >> 32) == epoch && static_cast<uint32_t>(open) != 0) {
    if (!tasks.compare_exchange_weak(open, open - 1, std::memory_order_acq_rel)) continue;
    const int64_t index = shareEnd(share) - static_cast<uint32_t>(open);
    try {
      body_(arg_, index, worker);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failureMutex_);
      if (!failure_) failure_ = std::current_exception();
    }
    ++finished;
    open = tasks.load(std::memory_order_acquire);
  }
  return finished;
}

void ThreadPool::work(uint32_t epoch, int worker) {
  const auto workers = static_cast<uint32_t>(shares_.size()), own = static_cast<uint32_t>(worker);
  uint32_t finished = 0;
  for (uint32_t i = 0; i < workers; ++i) finished += workOn((own + i) % workers, epoch, worker);
  if (finished == 0) return;       // the job may be over, and its fields those of the next one
  const uint32_t count = count_;   // read while the tasks of this worker still keep the job open
  if (done_.fetch_add(finished, std::memory_order_acq_rel) + finished == count) done_.notify_all();
}

void ThreadPool::parallelFor(int64_t count, Body body, void* arg) {
  if (count <= 0) return;
  if (count > std::numeric_limits<uint32_t>::max()) raise(Code::internal, "more than 2^32 tasks in one job");
  if (helpers_.empty() || count == 1) {
    for (int64_t i = 0; i < count; ++i) body(arg, i, kShared);
    return;
  }
  body_ = body;
  arg_ = arg;
  count_ = static_cast<uint32_t>(count);
  done_.store(0, std::memory_order_relaxed);
  const uint32_t epoch = wake_.load(std::memory_order_relaxed) + 1;
  for (uint32_t w = 0, begin = 0; w < shares_.size(); ++w) {
    const uint32_t end = shareEnd(w);
    shares_[w].open.store(pack(epoch, end - begin), std::memory_order_release);
    begin = end;
  }
  wake_.store(epoch, std::memory_order_release);
  wake_.notify_all();

  work(epoch, kShared);
  for (uint32_t done = done_.load(std::memory_order_acquire); done != count_;
       done = done_.load(std::memory_order_acquire))
    await(done_, done);

  if (failure_) {
    const std::exception_ptr failure = failure_;
    failure_ = nullptr;
    std::rethrow_exception(failure);
  }
}

void* ThreadPool::scratch(int worker, int slot, size_t bytes) {
  ScratchBlock& block = scratch_[static_cast<size_t>(worker) * kScratchSlots + static_cast<size_t>(slot)];
  if (bytes > block.bytes) {
    std::free(block.data);
    block = {};
    const size_t rounded = (bytes + bytes / 4 + 4095) / 4096 * 4096;
    block.data = std::aligned_alloc(4096, rounded);
    if (block.data == nullptr) raise(Code::oom, "out of memory: %zu bytes of scratch", rounded);
    block.bytes = rounded;
  }
  return block.data;
}

}  // namespace anneal
