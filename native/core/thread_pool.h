// A persistent pool of threads - 1 helpers; the calling thread takes part. One job at a time.
#pragma once

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "op.h"

namespace anneal {

class ThreadPool final : public Exec {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const override { return static_cast<int>(helpers_.size()) + 1; }
  void parallelFor(int64_t count, Body body, void* arg) override;
  void* scratch(int worker, int slot, size_t bytes) override;

 private:
  struct ScratchBlock {
    void* data = nullptr;
    size_t bytes = 0;
  };

  void helperLoop(int worker);
  void work(uint32_t epoch, int worker);

  std::vector<std::thread> helpers_;
  std::vector<ScratchBlock> scratch_;  // [worker][slot]

  // The open tasks of the job: (epoch << 32) | tasks not yet claimed. Claiming is one compare-and-swap, which can only
  // succeed while its job is live, so the fields below are stable from a claim until that task is counted in done_.
  alignas(64) std::atomic<uint64_t> open_{0};
  alignas(64) std::atomic<uint32_t> done_{0};
  alignas(64) std::atomic<uint32_t> wake_{0};  // bumped for each job; helpers sleep on it
  std::atomic<bool> stopping_{false};
  Body body_ = nullptr;
  void* arg_ = nullptr;
  uint32_t count_ = 0;

  std::mutex failureMutex_;
  std::exception_ptr failure_;
};

}  // namespace anneal
