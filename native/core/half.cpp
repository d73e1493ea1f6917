#include "half.h"

#include "../../kernels/common/half.h"

namespace anneal {
namespace {

// Elements of a task: some 20 us.
constexpr size_t kTask = size_t{1} << 16;
constexpr size_t kAlignment = 64;

void widenAll(float* to, const uint16_t* from, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = widened(from[i]);
}

void narrowAll(uint16_t* to, const float* from, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = narrowed(from[i]);
}

size_t elementsOf(const BufferRef& ref) { return ref.bytes / kHalfBytes; }

// convert(to, from, count), cut into tasks.
template <class To, class From> void convertAll(Exec& exec, void (*convert)(To*, const From*, size_t), void* to, const void* from,
                                                size_t count) {
  struct Job {
    void (*convert)(To*, const From*, size_t);
    To* to;
    const From* from;
    size_t count;
  } job{convert, static_cast<To*>(to), static_cast<const From*>(from), count};
  if (count <= kTask) {
    convert(job.to, job.from, count);
    return;
  }
  const auto task = [](void* arg, int64_t index, int) {
    const Job& all = *static_cast<const Job*>(arg);
    const size_t begin = static_cast<size_t>(index) * kTask;
    all.convert(all.to + begin, all.from + begin, all.count - begin < kTask ? all.count - begin : kTask);
  };
  exec.parallelFor(static_cast<int64_t>((count + kTask - 1) / kTask), task, &job);
}

}  // namespace

const HalfFns kPortableHalfFns{widenAll, narrowAll};

void runWidened(KernelFn kernel, const OpCall& call, const HalfFns& fns) {
  const uint32_t count = call.nIn + call.nOut;
  BufferRef stored[kMaxOperands], seen[kMaxOperands];
  size_t total = 0;
  for (uint32_t i = 0; i < count; ++i) {
    stored[i] = seen[i] = i < call.nIn ? call.in[i] : call.out[i - call.nIn];
    if (!call.isHalf(i) || stored[i].data == nullptr) continue;
    seen[i].bytes = elementsOf(stored[i]) * sizeof(float);
    total += (seen[i].bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  auto* at = static_cast<std::byte*>(call.exec.scratch(Exec::kShared, Exec::kWidened, total));
  for (uint32_t i = 0; i < count; ++i) {
    if (!call.isHalf(i) || stored[i].data == nullptr) continue;
    seen[i].data = at;
    at += (seen[i].bytes + kAlignment - 1) / kAlignment * kAlignment;
    convertAll(call.exec, fns.widen, seen[i].data, stored[i].data, elementsOf(stored[i]));
  }
  kernel({call.params, seen, seen + call.nIn, call.nIn, call.nOut, call.exec});
  for (uint32_t i = call.nIn; i < count; ++i)
    if (call.isHalf(i) && stored[i].data != nullptr)
      convertAll(call.exec, fns.narrow, stored[i].data, seen[i].data, elementsOf(stored[i]));
}

}  // namespace anneal
