#include "timing.h"

#include <chrono>

#include "half.h"
#include "status.h"

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

void refuseHours(double firstSeconds, const Timing& timing) {
  const double seconds = firstSeconds * timing.samples * timing.inner;
  if (seconds > kMaxTimedSeconds)
    raise(Code::range, "expected executions that take at most %g s together, received %u x %u that would take %.3g s",
          kMaxTimedSeconds, timing.samples, timing.inner, seconds);
}

}  // namespace

void timeKernel(KernelFn kernel, Isa isa, const OpCall& call, const Timing& timing) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); };
  for (uint32_t sample = 0; sample < timing.samples; ++sample) {
    const Clock::time_point before = Clock::now();
    if (timing.cold) {
      for (uint32_t i = 0; i < call.nIn; ++i) evict(call.in[i]);
      for (uint32_t i = 0; i < call.nOut; ++i) evict(call.out[i]);
    }
    const Clock::time_point start = Clock::now();
    runKernel(kernel, isa, call);
    if (sample == 0) refuseHours(since(before), timing);
    for (uint32_t i = 1; i < timing.inner; ++i) runKernel(kernel, isa, call);
    timing.seconds[sample] = since(start) / timing.inner;
  }
}

}  // namespace anneal
