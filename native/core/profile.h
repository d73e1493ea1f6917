// Who did what when, while a profile is taken.
//
// One buffer of fixed size for each thread, written by that thread alone: no lock, no allocation, nothing shared that a
// thread writes. A full buffer counts what it drops. Buffers are made and read by the JavaScript thread, and only while the
// queue is drained; the queue's own hand-over of records and jobs makes them visible, both ways.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace anneal {

// Nanoseconds of the steady clock, which all threads share.
int64_t profileClock();

struct ProfileEvent {
  int64_t start, end;
  uint64_t sequence;  // of the queue's record
  uint32_t index;     // of the op within its record
  uint32_t what;      // on the queue: the op's id, or kProfiledCopy; in the pool: how many tasks
};

constexpr uint32_t kProfiledCopy = UINT32_MAX;

class ProfileBuffer {
 public:
  explicit ProfileBuffer(size_t capacity) : events_(new ProfileEvent[capacity]), capacity_(capacity) {}

  void add(const ProfileEvent& event) {
    if (size_ < capacity_) events_[size_++] = event;
    else ++dropped_;
  }

  const ProfileEvent* begin() const { return events_.get(); }
  const ProfileEvent* end() const { return events_.get() + size_; }
  size_t size() const { return size_; }
  uint64_t dropped() const { return dropped_; }

 private:
  std::unique_ptr<ProfileEvent[]> events_;  // pages come into being as they are written
  size_t capacity_;
  alignas(64) size_t size_ = 0;  // each on lines of its own: several threads write theirs
  uint64_t dropped_ = 0;
};

class Profile {
 public:
  Profile(size_t capacity, int workers) : origin(profileClock()), queue(capacity), capacity_(capacity) { grow(workers); }

  void grow(int workers) {
    while (this->workers.size() < static_cast<size_t>(workers))
      this->workers.push_back(std::make_unique<ProfileBuffer>(capacity_));
  }

  // The part of a job that a worker did, which is of the op at hand.
  void addShare(int worker, int64_t start, uint32_t tasks) {
    workers[static_cast<size_t>(worker)]->add({start, profileClock(), sequence, index, tasks});
  }

  const int64_t origin;
  ProfileBuffer queue;
  std::vector<std::unique_ptr<ProfileBuffer>> workers;
  // The op at hand: written by the queue thread between jobs.
  uint64_t sequence = 0;
  uint32_t index = 0;

 private:
  size_t capacity_;
};

// What the queue thread does during the scope's life; nothing without a profile.
class ProfileScope {
 public:
  ProfileScope(Profile* profile, uint64_t sequence, uint32_t index, uint32_t what) : profile_(profile) {
    if (profile_ != nullptr) [[unlikely]] begin(sequence, index, what);
  }
  ~ProfileScope() {
    if (profile_ != nullptr) [[unlikely]] end();
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  void begin(uint64_t sequence, uint32_t index, uint32_t what);
  void end();

  Profile* const profile_;
  int64_t start_;
  uint32_t what_;
};

}  // namespace anneal
