#include "waiter.h"

namespace anneal::cuda {

Waiter::Waiter(const Driver& driver, Context context) : driver_(driver), context_(context), thread_([this] { loop(); }) {}

Waiter::~Waiter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  given_.notify_one();
  thread_.join();
}

void Waiter::push(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    ++pushed_;
  }
  given_.notify_one();
}

void Waiter::after(Event event, std::function<void()> then) { push({event, std::move(then), nullptr, nullptr, nullptr}); }

void Waiter::fence(Event event, FenceFn done, void* context, void* token) { push({event, {}, done, context, token}); }

std::optional<Event> Waiter::takeIdle() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::nullopt;
  const Event event = idle_.front();
  idle_.pop_front();
  return event;
}

void Waiter::fail(Failure failure) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(failure);
}

void Waiter::lose(Failure failure) {
  const std::lock_guard lock(mutex_);
  if (!lost_) lost_ = std::move(failure);
  isLost_.store(true, std::memory_order_release);
}

std::optional<Failure> Waiter::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

std::optional<Failure> Waiter::takeFailure() {
  const std::lock_guard lock(mutex_);
  if (lost_) return lost_;
  std::optional<Failure> taken = std::move(failure_);
  failure_.reset();
  return taken;
}

void Waiter::drain() {
  std::unique_lock lock(mutex_);
  const uint64_t target = pushed_;
  done_.wait(lock, [&] { return finished_ >= target; });
}

void Waiter::loop() {
  driver_.cuCtxSetCurrent(context_);
  std::unique_lock lock(mutex_);
  for (;;) {
    given_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
    if (stopping_) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    execute(task);
    lock.lock();
    ++finished_;
    done_.notify_all();
  }
}

void Waiter::execute(Task& task) {
  if (task.event != nullptr) {
    const Result result = isLost() ? kSuccess : driver_.cuEventSynchronize(task.event);
    if (result != kSuccess) {
      Failure failure{Code::device, "cuda: an op enqueued before failed on the device (" + describe(driver_, result) +
                                        "); ANNEAL_CUDA_BLOCKING=1 tells which"};
      if (isSticky(result)) lose(std::move(failure));
      else fail(std::move(failure));
    }
    const std::lock_guard lock(mutex_);
    idle_.push_back(task.event);
  }
  if (task.then && !isLost()) task.then();
  if (task.done != nullptr) task.done(task.context, task.token, takeFailure());
}

}  // namespace anneal::cuda
