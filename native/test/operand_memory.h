// An operand's memory in the conformance driver, laid out so that a read or a write outside of it is noticed.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#endif

namespace anneal {

using Bytes = std::vector<std::byte>;

enum class Placement {
  heap,             // 4 bytes off any vector's alignment; guards that must not change (nor, under ASan, be read)
  endsAtPage,       // its last byte is the last one before a page that cannot be touched
  beginsAfterPage,  // its first byte is the first one after such a page
};

// Memory between guards. What a page placement leaves over on the far side of the operand is guarded as on the heap. Both
// ends of the mapping are pages that cannot be touched, so that an empty operand has one on each side.
class OperandMemory {
 public:
  OperandMemory(const Bytes& contents, Placement placement) : placement_(placement), size_(contents.size()) {
    if (placement == Placement::heap) {
      bytes_ = kBefore + size_ + kAfter;
      memory_ = static_cast<std::byte*>(std::malloc(bytes_));
      if (memory_ == nullptr) fail("malloc");
      offset_ = kBefore;
    } else {
      const size_t page = pageBytes();
      bytes_ = (size_ + page - 1) / page * page;
      void* const mapped = mmap(nullptr, bytes_ + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
      if (mapped == MAP_FAILED) fail("mmap");
      memory_ = static_cast<std::byte*>(mapped) + page;
      if (bytes_ > 0 && mprotect(memory_, bytes_, PROT_READ | PROT_WRITE) != 0) fail("mprotect");
      offset_ = placement == Placement::endsAtPage ? bytes_ - size_ : 0;
    }
    if (bytes_ > 0) std::memset(memory_, static_cast<int>(kGuard), bytes_);
    if (size_ > 0) std::memcpy(data(), contents.data(), size_);
    if (placement == Placement::heap) {
      ASAN_POISON_MEMORY_REGION(memory_, kBefore);
      ASAN_POISON_MEMORY_REGION(data() + size_, kAfter);
    }
  }
  ~OperandMemory() {
    if (placement_ == Placement::heap) {
      ASAN_UNPOISON_MEMORY_REGION(memory_, bytes_);
      std::free(memory_);
    } else {
      munmap(memory_ - pageBytes(), bytes_ + 2 * pageBytes());
    }
  }
  OperandMemory(const OperandMemory&) = delete;
  OperandMemory& operator=(const OperandMemory&) = delete;

  std::byte* data() { return memory_ + offset_; }
  size_t size() const { return size_; }
  bool guardsHold() {
    if (placement_ == Placement::heap) ASAN_UNPOISON_MEMORY_REGION(memory_, bytes_);
    for (size_t i = 0; i < bytes_; ++i)
      if ((i < offset_ || i >= offset_ + size_) && memory_[i] != kGuard) return false;
    return true;
  }

 private:
  static constexpr size_t kBefore = 68, kAfter = 64;
  static constexpr std::byte kGuard{0xa5};

  static size_t pageBytes() {
    static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return bytes;
  }
  [[noreturn]] static void fail(const char* what) {
    std::perror(what);
    std::exit(2);
  }

  Placement placement_;
  size_t size_, bytes_ = 0, offset_ = 0;  // of the operand; of all that can be touched; of the operand in it
  std::byte* memory_ = nullptr;
};

}  // namespace anneal
