// A hint to the core that the thread is spinning.
#pragma once

namespace anneal {

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace anneal
