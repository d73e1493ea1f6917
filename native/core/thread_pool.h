// A persistent pool of threads - 1 helpers; the calling thread takes part. One job at a time.
//
// Worker w of T starts on the tasks [count * w / T, count * (w + 1) / T) and helps others only when its own are done. So a
// buffer that one op after another walks in the same order is touched by the same core each time: its part of the data
// is still in that core's cache, and no line has to be fetched from another core's.
//
// A helper that sleeps is woken only where that pays: for a job that took long the last time, or that nothing is known of,
// or while much is queued behind it. Else the caller does all tasks itself. Who does a task changes no result.
#pragma once

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "fault.h"
#include "op.h"
#include "park.h"
#include "profile.h"

namespace anneal {

class ThreadPool final : public Exec {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const override { return static_cast<int>(helpers_.size()) + 1; }
  void parallelFor(int64_t count, Body body, void* arg) override;

  // Whether more than the op at hand is waiting to be done: helpers that are woken now will not sleep again soon.
  void setBacklog(bool backlog) { backlog_ = backlog; }
  void* scratch(int worker, int slot, size_t bytes) override;

  // Each worker's part of a job from here on is an event there; null: of none. No job may be running.
  void setProfile(Profile* profile) { profile_.store(profile, std::memory_order_relaxed); }
  Fault& fault() { return fault_; }  // of scratch()

 private:
  struct ScratchBlock {
    void* data = nullptr;
    size_t bytes = 0;
  };

  // The tasks of one worker that are not claimed yet: (epoch << 32) | how many. Claiming is one compare-and-swap, which can
  // only succeed while its job is live, so the fields of the job are stable from a claim until that task is counted in done_.
  struct alignas(64) Share {
    std::atomic<uint64_t> open{0};
  };

  // How long the tasks of a job take one thread, by the job's body and their number.
  struct Known {
    Body body = nullptr;
    int64_t count = 0;
    double us = 0;
  };
  static constexpr size_t kKnown = 64;

  Known& known(int64_t count, Body body);
  bool worthWaking(const Known& job, int64_t count, Body body) const;
  void runAlone(int64_t count, Body body, void* arg);
  uint32_t shareEnd(uint32_t worker) const;  // one past the last task that `worker` starts with
  void helperLoop(int worker);
  void awaitJob(uint32_t seen);
  uint32_t work(uint32_t epoch, int worker);                    // gives the number of tasks done
  uint32_t workOn(uint32_t share, uint32_t epoch, int worker);  // gives the number of tasks done

  std::vector<std::thread> helpers_;
  std::vector<ScratchBlock> scratch_;  // [worker][slot]

  std::vector<Share> shares_;  // [worker]
  const Patience patience_;
  alignas(64) std::atomic<uint32_t> done_{0};
  std::atomic<uint32_t> waiting_{0};           // 1: the caller sleeps on done_, or is about to (park.h)
  alignas(64) std::atomic<uint32_t> wake_{0};  // bumped for each job; helpers sleep on it
  std::atomic<uint32_t> sleepers_{0};          // helpers that sleep on wake_, or are about to
  std::atomic<bool> stopping_{false};
  bool backlog_ = false;
  std::atomic<Profile*> profile_{nullptr};  // atomic, since a helper that comes late to a job looks as the next begins
  Known known_[kKnown];
  Body body_ = nullptr;
  void* arg_ = nullptr;
  uint32_t count_ = 0;

  Fault fault_;
  std::mutex failureMutex_;
  std::exception_ptr failure_;
};

}  // namespace anneal
