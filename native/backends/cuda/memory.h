// Where the blocks of a CUDA device's pools come from.
#pragma once

#include <utility>

#include "../../core/buffer_pool.h"
#include "driver.h"

namespace anneal::cuda {

// Memory of the driver's, which goes with the context: once that is lost nothing is given back.
class DriverMemory : public BlockSource {
 public:
  void abandon() { abandoned_ = true; }
  void giveBack(std::byte* data) override {
    if (!abandoned_) release(data);
  }

 protected:
  virtual void release(std::byte* data) = 0;

 private:
  bool abandoned_ = false;
};

class DeviceMemory : public DriverMemory {
 public:
  DeviceMemory(const Driver& driver, Stream stream, bool ordered) : driver_(driver), stream_(stream), ordered_(ordered) {}

  std::byte* take(size_t bytes) override {
    Pointer pointer = 0;
    const Result result =
        ordered_ ? driver_.cuMemAllocAsync(&pointer, bytes, stream_) : driver_.cuMemAlloc_v2(&pointer, bytes);
    if (result == kOutOfMemory) return nullptr;
    succeed(driver_, result, ordered_ ? "cuMemAllocAsync" : "cuMemAlloc");
    fresh_ = ordered_;
    return reinterpret_cast<std::byte*>(pointer);
  }

  void release(std::byte* data) override {
    const auto pointer = reinterpret_cast<Pointer>(data);
    if (ordered_) driver_.cuMemFreeAsync(pointer, stream_);
    else driver_.cuMemFree_v2(pointer);
  }
  // Whether memory was taken since the last call that other streams must not touch before the compute stream has come there.
  bool takeFresh() { return std::exchange(fresh_, false); }

 private:
  bool fresh_ = false;
  const Driver& driver_;
  const Stream stream_;
  const bool ordered_;
};

// Host memory that the device copies from and to by itself.
class PinnedMemory : public DriverMemory {
 public:
  explicit PinnedMemory(const Driver& driver) : driver_(driver) {}

  std::byte* take(size_t bytes) override {
    void* data = nullptr;
    const Result result = driver_.cuMemHostAlloc(&data, bytes, 0);
    if (result == kOutOfMemory) return nullptr;
    succeed(driver_, result, "cuMemHostAlloc");
    return static_cast<std::byte*>(data);
  }
  void release(std::byte* data) override { driver_.cuMemFreeHost(data); }

 private:
  const Driver& driver_;
};

}  // namespace anneal::cuda
