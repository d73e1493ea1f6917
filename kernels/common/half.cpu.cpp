// f16 to f32 and back (native/core/half.h), by the instructions for it where there are some.
#include "half.h"

#include <cstddef>

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace anneal::ANNEAL_ISA {

#if defined(__AVX512F__)
// Without a mask GCC 12 warns of what its own header leaves undefined.
constexpr __mmask16 kAll = 0xffff;
#endif

void widen(float* to, const uint16_t* from, size_t count);
void narrow(uint16_t* to, const float* from, size_t count);

void widen(float* to, const uint16_t* from, size_t count) {
  size_t i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= count; i += 16)
    _mm512_storeu_ps(to + i, _mm512_maskz_cvtph_ps(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i))));
#elif defined(__F16C__)
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
#endif
  for (; i < count; ++i) to[i] = widened(from[i]);
}

void narrow(uint16_t* to, const float* from, size_t count) {
  size_t i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= count; i += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i),
                        _mm512_maskz_cvtps_ph(kAll, _mm512_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__F16C__)
  for (; i + 8 <= count; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
#endif
  for (; i < count; ++i) to[i] = narrowed(from[i]);
}

}  // namespace anneal::ANNEAL_ISA
