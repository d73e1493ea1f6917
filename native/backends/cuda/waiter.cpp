#include "waiter.h"

#include "../../core/park.h"

namespace anneal::cuda {
namespace {

// Yields, some 15 us or more: an emulated device's streams are threads, too, and want a core. An awaited op of one element, emulated:
// 112 to 132 us without, 75 to 111 with these, 156 to 179 with pauses of 50 us in their place (2-core AMD EPYC, 2026-11-29).
constexpr Patience kForTasks{0, 50};
constexpr Patience kForPromise{0, 20};
// Each question costs the driver about a microsecond.
constexpr int kQuestions = 32;

}  // namespace

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

void Waiter::linger() const {
  const uint64_t target = pushed_.load(std::memory_order_relaxed);
  anneal::linger(kForPromise, [&] { return finished_.load(std::memory_order_acquire) >= target; });
}

Result Waiter::waitFor(Event event) const {
  for (int i = 0; i < kQuestions; ++i) {
    const Result result = driver_.cuEventQuery(event);
    if (result != kNotReady) return result;
    std::this_thread::yield();
  }
  return driver_.cuEventSynchronize(event);
}

void Waiter::loop() {
  driver_.cuCtxSetCurrent(context_);
  std::unique_lock lock(mutex_);
  for (;;) {
    if (tasks_.empty() && !stopping_) {
      lock.unlock();
      anneal::linger(kForTasks, [&] {
        return pushed_.load(std::memory_order_acquire) != finished_.load(std::memory_order_relaxed);
      });
      lock.lock();
    }
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
    const Result result = isLost() ? kSuccess : waitFor(task.event);
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
