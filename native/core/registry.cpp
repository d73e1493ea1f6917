#include "registry.h"

#include "half.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace anneal {

#define ANNEAL_OP(name) OpDef name##_op();
#include "../../kernels/ops.def"
#undef ANNEAL_OP

#ifdef ANNEAL_HAVE_BASELINE
namespace baseline {
extern const KernelFn kTable[];
extern const HalfFns kHalfFns;
}
#endif
#ifdef ANNEAL_HAVE_AVX2
namespace avx2 {
extern const KernelFn kTable[];
extern const HalfFns kHalfFns;
}
#endif
#ifdef ANNEAL_HAVE_AVX512
namespace avx512 {
extern const KernelFn kTable[];
extern const HalfFns kHalfFns;
}
#endif

const OpDef& opDef(uint32_t id) {
  static const OpDef defs[] = {
#define ANNEAL_OP(name) name##_op(),
#include "../../kernels/ops.def"
#undef ANNEAL_OP
  };
  return defs[id];
}

const char* isaName(Isa isa) {
  static const char* const names[kIsaCount] = {"reference", "baseline", "avx2", "avx512"};
  return names[static_cast<int>(isa)];
}

// The kernels of an instruction set, or nullptr where this build leaves it out.
static const KernelFn* kernelsOf(Isa isa) {
  switch (isa) {
#ifdef ANNEAL_HAVE_BASELINE
    case Isa::baseline: return baseline::kTable;
#endif
#ifdef ANNEAL_HAVE_AVX2
    case Isa::avx2: return avx2::kTable;
#endif
#ifdef ANNEAL_HAVE_AVX512
    case Isa::avx512: return avx512::kTable;
#endif
    default: return nullptr;
  }
}

#if defined(__x86_64__)
// Not among the names that every compiler's __builtin_cpu_supports knows.
static bool hasF16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

bool isaCompiled(Isa isa) { return isa == Isa::reference || kernelsOf(isa) != nullptr; }

bool isaRunnable(Isa isa) {
  if (!isaCompiled(isa)) return false;
#if defined(__x86_64__)
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && hasF16c();
  if (isa == Isa::avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
  return true;
}

Isa isaBest() {
  if (isaRunnable(Isa::avx512)) return Isa::avx512;
  return isaRunnable(Isa::avx2) ? Isa::avx2 : Isa::baseline;
}

KernelFn kernel(Isa isa, uint32_t id) {
  const KernelFn* const kernels = kernelsOf(isa);
  return kernels != nullptr ? kernels[id] : opDef(id).reference;
}

const HalfFns& halfFns(Isa isa) {
  switch (isa) {
#ifdef ANNEAL_HAVE_BASELINE
    case Isa::baseline: return baseline::kHalfFns;
#endif
#ifdef ANNEAL_HAVE_AVX2
    case Isa::avx2: return avx2::kHalfFns;
#endif
#ifdef ANNEAL_HAVE_AVX512
    case Isa::avx512: return avx512::kHalfFns;
#endif
    default: return kPortableHalfFns;
  }
}

}  // namespace anneal
