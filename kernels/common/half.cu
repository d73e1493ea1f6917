// f16 to f32 and back: 6 bytes of memory an item, which binds; some ten integer instructions an item, by the text that the CPU runs, so
// that every bit is the same, those of NaN included. A thread takes eight items: 16 bytes of f16 and twice 16 of f32. Where f16 begins on
// no multiple of that, it goes there one by one.
#include "half.cuda.h"

#include "cuda.cuh"
#include "half.h"

namespace anneal::cuda {
namespace {

ANNEAL_GPU float4 widenedPairs(uint32_t a, uint32_t b) {
  return make_float4(widened(static_cast<uint16_t>(a)), widened(static_cast<uint16_t>(a >> 16)),
                     widened(static_cast<uint16_t>(b)), widened(static_cast<uint16_t>(b >> 16)));
}

ANNEAL_GPU uint32_t narrowedPair(float low, float high) {
  return narrowed(low) | static_cast<uint32_t>(narrowed(high)) << 16;
}

}  // namespace

extern "C" __global__ void half_widen(const WidenArgs args) {
  const int64_t i = flatThread() * kHalvesPerThread, count = args.from.size;
  if (args.aligned != 0 && i + kHalvesPerThread <= count) {
    const uint4 words = args.from.as<uint4>(i);
    args.to.as<float4>(i) = widenedPairs(words.x, words.y);
    args.to.as<float4>(i + 4) = widenedPairs(words.z, words.w);
    return;
  }
  const int64_t end = i + kHalvesPerThread < count ? i + kHalvesPerThread : count;
  for (int64_t k = i; k < end; ++k) args.to[k] = widened(args.from[k]);
}

extern "C" __global__ void half_narrow(const NarrowArgs args) {
  const int64_t i = flatThread() * kHalvesPerThread, count = args.to.size;
  if (args.aligned != 0 && i + kHalvesPerThread <= count) {
    const float4 a = args.from.as<float4>(i), b = args.from.as<float4>(i + 4);
    args.to.as<uint4>(i) =
        make_uint4(narrowedPair(a.x, a.y), narrowedPair(a.z, a.w), narrowedPair(b.x, b.y), narrowedPair(b.z, b.w));
    return;
  }
  const int64_t end = i + kHalvesPerThread < count ? i + kHalvesPerThread : count;
  for (int64_t k = i; k < end; ++k) args.to[k] = narrowed(args.from[k]);
}

}  // namespace anneal::cuda
