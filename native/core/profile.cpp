#include "profile.h"

#include <chrono>

namespace anneal {

int64_t profileClock() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

void ProfileScope::begin(uint64_t sequence, uint32_t index, uint32_t what) {
  profile_->sequence = sequence;
  profile_->index = index;
  what_ = what;
  start_ = profileClock();
}

void ProfileScope::end() {
  profile_->queue.add({start_, profileClock(), profile_->sequence, profile_->index, what_});
}

}  // namespace anneal
