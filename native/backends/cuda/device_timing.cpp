// Timed ops and profiles of a CUDA device, by its own clock.
#include "../../core/no_exec.h"
#include "taking.h"

namespace anneal::cuda {

uint64_t Device::push(const TimedRecord& record) {
  requireAlive();
  driver_.cuCtxSetCurrent(context_);
  const auto [seconds, samples, inner, cold] = record.timing;
  NoExec none;
  const OpCall call = record.op.call(none);
  // Twice the cache, written between samples, leaves nothing of the operands in it.
  const size_t sweep = cold ? 2 * static_cast<size_t>(traits_.l2Bytes) : 0;
  const Block swept = sweep > 0 ? buffers_->takeBlock(sweep) : Block{};
  auto events = std::make_shared<std::vector<Event>>();
  try {
    for (uint32_t sample = 0; sample < samples; ++sample) {
      if (swept.data != nullptr)
        check(driver_.cuMemsetD8Async(reinterpret_cast<Pointer>(swept.data), 0, sweep, compute_), "cuMemsetD8Async");
      for (const bool end : {false, true}) {
        if (end)
          for (uint32_t i = 0; i < inner; ++i) launchAll(record.op.op, call, 0);
        events->push_back(event(0));
        check(driver_.cuEventRecord(events->back(), compute_), "cuEventRecord");
      }
    }
  } catch (...) {
    waiter_->fail(currentFailure(opDef(record.op.op).name));
  }
  if (swept.data != nullptr) buffers_->give({swept.data, swept.capacity, submitted_ + 1});
  const Event done = event(kEventDisableTiming | kEventBlockingSync);
  check(driver_.cuEventRecord(done, compute_), "cuEventRecord");
  waiter_->after(done, [this, events, seconds = seconds, inner = inner] {
    for (size_t i = 0; i + 1 < events->size(); i += 2) {
      float milliseconds = 0;
      driver_.cuEventElapsedTime(&milliseconds, (*events)[i], (*events)[i + 1]);
      seconds[i / 2] = milliseconds * 1e-3 / inner;
    }
    for (Event each : *events) driver_.cuEventDestroy_v2(each);
  });
  return ++submitted_;
}

void Device::startProfile(size_t capacity) {
  if (profile_) raise(Code::argument, "expected no profile to be taken, received another start");
  wait(submitted_);
  requireAlive();
  driver_.cuCtxSetCurrent(context_);
  const Event zero = event(0);
  check(driver_.cuEventRecord(zero, compute_), "cuEventRecord");
  check(driver_.cuStreamSynchronize(compute_), "cuStreamSynchronize");
  profile_ = std::make_unique<Taking>(capacity);  // its origin is now, which is when `zero` was
  profile_->zero = zero;
}

const Profile* Device::profile() const { return profile_ ? &profile_->result : nullptr; }

std::unique_ptr<Profile> Device::stopProfile() {
  wait(submitted_);
  const std::unique_ptr<Taking> taken = std::move(profile_);
  auto result = std::make_unique<Profile>(std::move(taken->result));
  const auto at = [&](Event event) {
    float milliseconds = 0;
    driver_.cuEventElapsedTime(&milliseconds, taken->zero, event);
    return result->origin + static_cast<int64_t>(static_cast<double>(milliseconds) * 1e6);
  };
  if (!waiter_->isLost()) {
    for (const Taking::Entry& entry : taken->entries) {
      result->queue.add({at(entry.start), at(entry.end), entry.sequence, entry.index, entry.op});
      driver_.cuEventDestroy_v2(entry.start);
      driver_.cuEventDestroy_v2(entry.end);
    }
    driver_.cuEventDestroy_v2(taken->zero);
  }
  return result;
}

}  // namespace anneal::cuda
