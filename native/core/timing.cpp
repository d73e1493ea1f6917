#include "timing.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace anneal {
namespace {

constexpr size_t kCacheLine = 64;

// Writes the lines back and drops them from every level, so that the next touch comes from memory.
void evict(const BufferRef& buffer) {
  auto* const data = static_cast<std::byte*>(buffer.data);
  for (size_t at = 0; at < buffer.bytes; at += kCacheLine) {
#if defined(__x86_64__)
    _mm_clflush(data + at);
#elif defined(__aarch64__)
    asm volatile("dc civac, %0" ::"r"(data + at) : "memory");
#endif
  }
#if defined(__x86_64__)
  _mm_mfence();
#elif defined(__aarch64__)
  asm volatile("dsb ish" ::: "memory");
#endif
}

}  // namespace

void timeKernel(KernelFn kernel, const OpCall& call, const Timing& timing) {
  using Clock = std::chrono::steady_clock;
  for (uint32_t sample = 0; sample < timing.samples; ++sample) {
    if (timing.cold) {
      for (uint32_t i = 0; i < call.nIn; ++i) evict(call.in[i]);
      for (uint32_t i = 0; i < call.nOut; ++i) evict(call.out[i]);
    }
    const Clock::time_point start = Clock::now();
    for (uint32_t i = 0; i < timing.inner; ++i) kernel(call);
    timing.seconds[sample] = std::chrono::duration<double>(Clock::now() - start).count() / timing.inner;
  }
}

}  // namespace anneal
