#include "thread_pool.h"

#include <chrono>
#include <cstdlib>
#include <limits>

#include "park.h"
#include "slice.h"
#include "spin.h"

namespace anneal {
namespace {

// Longer than the gap between two ops of a step. Longer still, and the helper would take a core from JavaScript between steps:
// a step of a small net, awaited, took 180 us instead of 117 with 300 yields.
constexpr Patience kPatience{400, 10};
// Where there are more threads than cores, whoever lingers takes a core from one that works.
constexpr Patience kCrowded{0, 4};

// Microseconds of all tasks together above which a sleeping helper is woken. sgemm of n = 256, 190 us alone, awaited: 255 us
// when the helper was woken, 200 when not (the machine of park.h, where a core that went idle is back some 100 us later).
constexpr double kWorthWaking = 300;

using Clock = std::chrono::steady_clock;

double microseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::micro>(Clock::now() - since).count();
}

constexpr uint64_t pack(uint32_t epoch, uint32_t tasks) { return (uint64_t{epoch} << 32) | tasks; }

}  // namespace

ThreadPool::ThreadPool(int threads)
    : scratch_(static_cast<size_t>(threads) * kScratchSlots),
      shares_(static_cast<size_t>(threads)),
      patience_(static_cast<unsigned>(threads) > std::thread::hardware_concurrency() ? kCrowded : kPatience) {
  helpers_.reserve(static_cast<size_t>(threads) - 1);
  for (int worker = 1; worker < threads; ++worker) helpers_.emplace_back([this, worker] { helperLoop(worker); });
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_release);
  wake_.fetch_add(1, std::memory_order_seq_cst);
  wakeAll(wake_);
  for (std::thread& helper : helpers_) helper.join();
  for (const ScratchBlock& block : scratch_) std::free(block.data);
}

void ThreadPool::awaitJob(uint32_t seen) {
  if (linger(patience_, [&] { return wake_.load(std::memory_order_acquire) != seen; })) return;
  while (wake_.load(std::memory_order_acquire) == seen) {
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    if (wake_.load(std::memory_order_seq_cst) == seen) sleepOn(wake_, seen);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }
}

void ThreadPool::helperLoop(int worker) {
  takeLongSlices();
  uint32_t seen = 0;
  for (;;) {
    awaitJob(seen);
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

uint32_t ThreadPool::work(uint32_t epoch, int worker) {
  const auto workers = static_cast<uint32_t>(shares_.size()), own = static_cast<uint32_t>(worker);
  uint32_t finished = 0;
  Profile* const profile = profile_.load(std::memory_order_relaxed);
  const int64_t start = profile == nullptr ? 0 : profileClock();
  for (uint32_t i = 0; i < workers; ++i) finished += workOn((own + i) % workers, epoch, worker);
  if (finished == 0) return 0;     // the job may be over, and its fields those of the next one
  if (profile != nullptr) profile->addShare(worker, start, finished);
  const uint32_t count = count_;   // read while the tasks of this worker still keep the job open
  if (done_.fetch_add(finished, std::memory_order_seq_cst) + finished == count &&
      waiting_.load(std::memory_order_seq_cst) != 0)
    wakeAll(done_);
  return finished;
}

ThreadPool::Known& ThreadPool::known(int64_t count, Body body) {
  const auto key = reinterpret_cast<uintptr_t>(body) / 16 + static_cast<uintptr_t>(count) * 31;
  return known_[key % kKnown];
}

bool ThreadPool::worthWaking(const Known& job, int64_t count, Body body) const {
  return backlog_ || job.body != body || job.count != count || job.us > kWorthWaking;
}

void ThreadPool::runAlone(int64_t count, Body body, void* arg) {
  Profile* const profile = profile_.load(std::memory_order_relaxed);
  const int64_t start = profile == nullptr ? 0 : profileClock();
  for (int64_t i = 0; i < count; ++i) body(arg, i, kShared);
  if (profile != nullptr) profile->addShare(kShared, start, static_cast<uint32_t>(count));
}

void ThreadPool::parallelFor(int64_t count, Body body, void* arg) {
  if (count <= 0) return;
  if (count > std::numeric_limits<uint32_t>::max()) raise(Code::internal, "more than 2^32 tasks in one job");
  if (helpers_.empty() || count == 1) {
    runAlone(count, body, arg);
    return;
  }
  Known& job = known(count, body);
  if (sleepers_.load(std::memory_order_seq_cst) != 0 && !worthWaking(job, count, body)) {
    const Clock::time_point start = Clock::now();
    runAlone(count, body, arg);
    job = {body, count, microseconds(start)};
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
  wake_.store(epoch, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) != 0) wakeAll(wake_);

  // By the tasks done here: how long the others were waited for says more about who else wanted their cores.
  const Clock::time_point start = Clock::now();
  const uint32_t finished = work(epoch, kShared);
  if (finished > 0) job = {body, count, microseconds(start) * static_cast<double>(count) / finished};
  linger(patience_, [&] { return done_.load(std::memory_order_acquire) == count_; });
  for (uint32_t done = done_.load(std::memory_order_acquire); done != count_;
       done = done_.load(std::memory_order_acquire)) {
    waiting_.store(1, std::memory_order_seq_cst);
    if (done_.load(std::memory_order_seq_cst) == done) sleepOn(done_, done);
    waiting_.store(0, std::memory_order_relaxed);
  }

  if (failure_) {
    const std::exception_ptr failure = failure_;
    failure_ = nullptr;
    std::rethrow_exception(failure);
  }
}

void* ThreadPool::scratch(int worker, int slot, size_t bytes) {
  if (fault_.hit()) raise(Code::oom, "out of memory, as was asked for: %zu bytes of scratch", bytes);
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
