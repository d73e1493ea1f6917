// Promises that the queue thread settles, on the JavaScript thread, in the order in which they were made, with turns of the
// event loop in between.
//
// Node runs up to 1000 calls of a threadsafe function in a row where each comes in while the one before runs, as they do
// when JavaScript lingers for the next small step, and no timer or socket has its turn meanwhile: 1875 steps of 784-128-10
// blocked it for 20 ms at a time. So there are two such functions, and when one has been at it for a while calls go to the
// other, whose turn comes after the event loop's.
#pragma once

#include <napi.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>

#include "../core/status.h"

namespace anneal {

class Settler {
 public:
  explicit Settler(napi_env env);  // raises E_INTERNAL
  ~Settler();                      // nobody may call done() any more; what is pending stays so
  Settler(const Settler&) = delete;
  Settler& operator=(const Settler&) = delete;

  struct Pending;

  // A promise that done() settles: resolved with `value` (or undefined when empty). Keeps the event loop alive until then.
  Napi::Promise add(Napi::Value value, Pending*& token);

  // On the queue thread, for each token in the order of add(): resolves, or rejects with the failure.
  static void done(void* settler, void* token, std::optional<Failure> failure);

 private:
  using Clock = std::chrono::steady_clock;

  static void settle(napi_env env, napi_value callback, void* settler, void* which);
  void settleFirst(napi_env env, size_t which);

  napi_env env_;
  napi_threadsafe_function functions_[2] = {nullptr, nullptr};
  std::atomic<size_t> next_{0};  // which of them done() calls
  size_t running_ = 0;           // which was called last, and since when in a row
  Clock::time_point since_{};
  std::deque<std::unique_ptr<Pending>> pending_;
};

}  // namespace anneal
