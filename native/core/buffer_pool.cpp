#include "buffer_pool.h"

#include <atomic>
#include <bit>
#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace anneal {
namespace {

constexpr uint32_t kIndexBits = 24;
constexpr uint32_t kGenerationBits = 29;  // 24 + 29 = 53: a handle is an exact JavaScript number
constexpr size_t kLargestBuffer = size_t{1} << 46;
constexpr size_t kHugePage = size_t{2} << 20;

// One counter for the process, so that a handle of another environment is foreign here, not somebody else's buffer.
uint32_t nextGeneration() {
  static std::atomic<uint32_t> counter{0};
  uint32_t generation;
  do generation = (counter.fetch_add(1, std::memory_order_relaxed) + 1) & ((1u << kGenerationBits) - 1);
  while (generation == 0);
  return generation;
}

// Four classes to each power of two: at most a quarter of a block is unused.
size_t sizeClass(size_t bytes) {
  if (bytes <= 256) return (bytes + 63) / 64 * 64 + (bytes == 0 ? 64 : 0);
  const size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

class HostMemory : public BlockSource {
 public:
  std::byte* take(size_t bytes) override {
    const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : 64;
    const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* const data = std::aligned_alloc(alignment, rounded);
#if defined(__linux__)
    if (data != nullptr && alignment == kHugePage) madvise(data, rounded, MADV_HUGEPAGE);
#endif
    return static_cast<std::byte*>(data);
  }
  void giveBack(std::byte* data) override { std::free(data); }
};

}  // namespace

BlockSource& hostMemory() {
  static HostMemory& memory = *new HostMemory;  // never destroyed: pools of other threads may outlive it
  return memory;
}

BufferPool::~BufferPool() {
  for (const Slot& slot : slots_)
    if (slot.generation != 0) source_.giveBack(slot.buffer.block.data);
  for (const auto& [capacity, blocks] : pooled_)
    for (const Block& block : blocks) source_.giveBack(block.data);
}

Block BufferPool::allocate(size_t capacity) {
  std::byte* const data = source_.take(capacity);
  if (data == nullptr) raise(Code::oom, "out of memory: %zu bytes asked for, %zu in use", capacity, ownedBytes_);
  ownedBytes_ += capacity;
  if (ownedBytes_ > peakBytes_) peakBytes_ = ownedBytes_;
  return {data, capacity, 0};
}

Block BufferPool::takeAny(size_t capacity) {
  const auto found = pooled_.find(capacity);
  if (found == pooled_.end() || found->second.empty()) return allocate(capacity);
  const Block block = found->second.back();  // the most recently freed: likeliest to be in cache
  found->second.pop_back();
  pooledBytes_ -= capacity;
  return block;
}

void BufferPool::mayFail(size_t bytes) {
  if (fault_.hit()) raise(Code::oom, "out of memory, as was asked for: %zu bytes", bytes);
}

Block BufferPool::takeBlock(size_t bytes) {
  mayFail(bytes);
  return takeAny(sizeClass(bytes));
}

Block BufferPool::takeIdle(size_t bytes, uint64_t completed) {
  mayFail(bytes);
  const size_t capacity = sizeClass(bytes);
  const auto found = pooled_.find(capacity);
  if (found != pooled_.end()) {
    std::vector<Block>& blocks = found->second;
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (blocks[i].lastUse > completed) continue;
      const Block block = blocks[i];
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
      pooledBytes_ -= capacity;
      return block;
    }
  }
  return allocate(capacity);
}

void BufferPool::give(Block block) {
  pooled_[block.capacity].push_back(block);
  pooledBytes_ += block.capacity;
}

BufferPool::Handle BufferPool::alloc(size_t bytes) {
  mayFail(bytes);
  if (bytes > kLargestBuffer) raise(Code::oom, "out of memory: %zu bytes asked for in one buffer", bytes);
  if (freeSlots_.empty()) {
    if (slots_.size() >= (size_t{1} << kIndexBits)) raise(Code::oom, "out of handles: 2^24 buffers are live");
    slots_.emplace_back();
    freeSlots_.push_back(static_cast<uint32_t>(slots_.size() - 1));
  }
  const Block block = takeAny(sizeClass(bytes));
  const uint32_t index = freeSlots_.back();
  freeSlots_.pop_back();
  Slot& slot = slots_[index];
  slot = {{block, bytes}, nextGeneration()};
  liveBytes_ += bytes;
  return (Handle{slot.generation} << kIndexBits) | index;
}

BufferPool::Slot& BufferPool::slot(Handle handle) {
  const uint64_t index = handle & ((uint64_t{1} << kIndexBits) - 1);
  const uint64_t generation = handle >> kIndexBits;
  if (generation == 0 || index >= slots_.size() || slots_[index].generation != generation)
    raise(Code::disposed, "expected a live buffer, received a handle that was freed or belongs to another thread");
  return slots_[index];
}

BufferPool::Buffer& BufferPool::get(Handle handle) { return slot(handle).buffer; }

void BufferPool::free(Handle handle) {
  Slot& freed = slot(handle);
  give(freed.buffer.block);
  liveBytes_ -= freed.buffer.bytes;
  freed.generation = 0;
  freeSlots_.push_back(static_cast<uint32_t>(handle & ((uint64_t{1} << kIndexBits) - 1)));
}

size_t BufferPool::trim(uint64_t completed) {
  size_t returned = 0;
  for (auto& [capacity, blocks] : pooled_) {
    std::vector<Block> busy;
    for (const Block& block : blocks) {
      if (block.lastUse > completed) {
        busy.push_back(block);
        continue;
      }
      source_.giveBack(block.data);
      returned += capacity;
    }
    blocks.swap(busy);
  }
  pooledBytes_ -= returned;
  ownedBytes_ -= returned;
  return returned;
}

MemoryStats BufferPool::stats() const {
  return {liveBytes_, pooledBytes_, peakBytes_, slots_.size() - freeSlots_.size()};
}

}  // namespace anneal
