// In place of cuBLAS over the emulated driver, for tests of the benchmark's program: the few functions that it calls, products by a
// plain loop in double precision. Device memory is the host's there.
//
//   ANNEAL_EMULATED_CUBLAS_WRONG   1: every product has one wrong element
#include <dlfcn.h>

#include <cstdlib>

namespace {

using Handle = void*;
struct State {
  Handle stream;
};

bool multipliesWrongly() {
  const char* const text = std::getenv("ANNEAL_EMULATED_CUBLAS_WRONG");
  return text != nullptr && *text == '1';
}

}  // namespace

extern "C" {

#define ANNEAL_EXPORT __attribute__((visibility("default")))

ANNEAL_EXPORT int cublasCreate_v2(Handle* handle) {
  *handle = new State{};
  return 0;
}

ANNEAL_EXPORT int cublasGetVersion_v2(Handle, int* version) {
  *version = 130102;
  return 0;
}

ANNEAL_EXPORT int cublasSetStream_v2(Handle handle, Handle stream) {
  static_cast<State*>(handle)->stream = stream;
  return 0;
}

ANNEAL_EXPORT int cublasGemmStridedBatchedEx(Handle handle, int transA, int transB, int m, int n, int k, const void* alpha,
                                             const void* a, int typeA, int lda, long long strideA, const void* b, int typeB, int ldb,
                                             long long strideB, const void* beta, void* c, int typeC, int ldc, long long strideC,
                                             int batch, int compute, int) {
  constexpr int kInvalidValue = 7, kNotSupported = 15;  // cublasStatus_t
  if (typeA != 0 || typeB != 0 || typeC != 0 || (compute != 68 && compute != 75 && compute != 77)) return kNotSupported;
  if (lda < (transA ? k : m) || ldb < (transB ? n : k) || ldc < m) return kInvalidValue;
  auto* const wait = reinterpret_cast<int (*)(Handle)>(dlsym(RTLD_DEFAULT, "cuStreamSynchronize"));
  if (wait == nullptr || wait(static_cast<State*>(handle)->stream) != 0) return kInvalidValue;
  const float scale = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
  for (long long s = 0; s < batch; ++s) {
    const float* const x = static_cast<const float*>(a) + s * strideA;
    const float* const y = static_cast<const float*>(b) + s * strideB;
    float* const z = static_cast<float*>(c) + s * strideC;
    for (long long j = 0; j < n; ++j)
      for (long long i = 0; i < m; ++i) {
        double sum = 0;
        for (long long l = 0; l < k; ++l)
          sum += static_cast<double>(transA ? x[i * lda + l] : x[l * lda + i]) * (transB ? y[l * ldb + j] : y[j * ldb + l]);
        float& at = z[j * ldc + i];
        at = static_cast<float>(scale * sum) + (keep == 0 ? 0 : keep * at);
      }
  }
  if (multipliesWrongly()) static_cast<float*>(c)[0] += 1;
  return 0;
}

}  // extern "C"
