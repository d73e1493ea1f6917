// A device's memory: 64-byte aligned blocks by size class, named by handles with a generation.
// Used from the JavaScript thread of one environment only; the queue sees raw pointers.
//
// Reuse is ordered by the queue: a freed block may serve the next allocation at once, although ops that use its old
// contents are still queued, because whatever writes its new contents is queued behind them. Host access is not queued;
// a block remembers the last op that touches it, and the host copies directly only once that op is done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "fault.h"
#include "op.h"

namespace anneal {

struct Block {
  std::byte* data = nullptr;
  size_t capacity = 0;
  uint64_t lastUse = 0;  // sequence number in the queue
};

struct MemoryStats {
  size_t liveBytes;     // in buffers that are not freed, as asked for
  size_t pooledBytes;   // kept for reuse
  size_t peakBytes;     // the most that live and pooled memory together have held
  size_t liveBuffers;
};

// Where blocks come from.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // At least 64-byte aligned; null where memory is out.
  virtual std::byte* take(size_t bytes) = 0;
  virtual void giveBack(std::byte* data) = 0;
};

BlockSource& hostMemory();

class BufferPool {
 public:
  explicit BufferPool(BlockSource& source = hostMemory()) : source_(source) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  using Handle = uint64_t;  // generation << kIndexBits | index; below 2^53, never 0

  struct Buffer {
    Block block;
    size_t bytes;
  };

  Handle alloc(size_t bytes);          // contents undefined; raises E_OOM
  void free(Handle handle);            // raises E_DISPOSED
  Buffer& get(Handle handle);          // raises E_DISPOSED

  // A block for a queue's own use, ordered by the queue as a buffer's memory is; to be given back with give(). Raises E_OOM.
  Block takeBlock(size_t bytes);
  // A block for staging that no queued op touches any more (lastUse <= completed).
  Block takeIdle(size_t bytes, uint64_t completed);
  void give(Block block);

  // Counts an allocation and raises E_OOM where one is to fail (fault.h). alloc() and takeIdle() do so themselves.
  void mayFail(size_t bytes);
  Fault& fault() { return fault_; }

  // Returns pooled memory to the system; only blocks with lastUse <= completed. Gives the bytes returned.
  size_t trim(uint64_t completed);
  MemoryStats stats() const;

 private:
  struct Slot {
    Buffer buffer;
    uint32_t generation = 0;  // 0: free
  };

  Slot& slot(Handle handle);
  Block takeAny(size_t capacity);
  Block allocate(size_t capacity);

  BlockSource& source_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> freeSlots_;
  std::map<size_t, std::vector<Block>> pooled_;  // by capacity
  Fault fault_;
  size_t liveBytes_ = 0, pooledBytes_ = 0, ownedBytes_ = 0, peakBytes_ = 0;
};

}  // namespace anneal
