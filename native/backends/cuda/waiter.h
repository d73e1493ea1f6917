// The thread that waits for a CUDA device: JavaScript never does. Tasks are done in the order in which they are given.
//
// Waking a thread costs more than a small step takes, so it lingers a little before it sleeps (native/core/park.h): for the next
// task, and for an event, which it asks for before it has the driver wait.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "../../core/status.h"
#include "driver.h"

namespace anneal::cuda {

// On the waiter's thread: all before is done, and this was the first failure since the last fence.
using FenceFn = void (*)(void* context, void* token, std::optional<Failure> failure);

class Waiter {
 public:
  Waiter(const Driver& driver, Context context);
  ~Waiter();  // does nothing more of what was given
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Once `event` is over, calls `then`, unless the device failed. The event is given back to whoever asks with takeIdle().
  void after(Event event, std::function<void()> then);
  void fence(Event event, FenceFn done, void* context, void* token);
  std::optional<Event> takeIdle();

  // Keeps a failure until the next fence, unless an earlier one is still to be told.
  void fail(Failure failure);
  // As fail(); from here on every fence tells it.
  void lose(Failure failure);
  bool isLost() const { return isLost_.load(std::memory_order_acquire); }
  std::optional<Failure> lost() const;
  std::optional<Failure> takeFailure();
  // Blocks until all tasks so far are done.
  void drain();
  // The same, for a little while at most.
  void linger() const;

 private:
  struct Task {
    Event event;
    std::function<void()> then;
    FenceFn done;  // null: no fence
    void* context;
    void* token;
  };

  void push(Task task);
  void loop();
  Result waitFor(Event event) const;
  void execute(Task& task);

  const Driver& driver_;
  const Context context_;
  mutable std::mutex mutex_;
  std::condition_variable given_, done_;
  std::deque<Task> tasks_;
  std::deque<Event> idle_;
  std::atomic<uint64_t> pushed_{0}, finished_{0};  // written under the mutex
  bool stopping_ = false;
  std::optional<Failure> failure_, lost_;
  std::atomic<bool> isLost_{false};
  std::thread thread_;
};

}  // namespace anneal::cuda
