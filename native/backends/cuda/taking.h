// A profile of a CUDA device that is being taken: events around every op.
#pragma once

#include <vector>

#include "device.h"

namespace anneal::cuda {

struct Device::Taking {
  struct Entry {
    Event start, end;
    uint64_t sequence;
    uint32_t index, op;
  };
  explicit Taking(size_t capacity) : capacity(capacity), result(capacity, 0) {}
  size_t capacity;
  Event zero = nullptr;  // when the profile began, with nothing else queued
  std::vector<Entry> entries;
  uint64_t dropped = 0;
  Profile result;
};

}  // namespace anneal::cuda
