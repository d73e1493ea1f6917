// Times cuBLAS's products on a CUDA device, with driver and library opened at run time. cublas.mjs builds and drives it.
//
//   cublas DEVICE PRECISION BUDGET SEED LIB...   the first LIB that opens is taken; a work a line on stdin, `name batch m n k transA
//                                                transB`
//
// Prints {"missing": reason}, or {"version", "device", "driver", "emulated"}, then a JSON object for each work. Products of
// whole tiles and their edges are first held against double precision: a library that multiplies wrongly is missing.
//
// A sample is as many products as fill a millisecond, between two events on the device's clock, as our own kernels are timed; samples
// are taken for BUDGET milliseconds, 5 at least, 300 at most.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

// ---- What is used of NVIDIA's cuda.h and cublas_api.h ----

using Pointer = unsigned long long;  // CUdeviceptr
using Handle = void*;                // contexts, streams, events, cuBLAS handles

struct {
  int (*cuInit)(unsigned);
  int (*cuDriverGetVersion)(int*);
  int (*cuGetErrorName)(int, const char**);
  int (*cuDeviceGet)(int*, int);
  int (*cuDeviceGetName)(char*, int, int);
  int (*cuDevicePrimaryCtxRetain)(Handle*, int);
  int (*cuCtxSetCurrent)(Handle);
  int (*cuMemAlloc_v2)(Pointer*, size_t);
  int (*cuMemFree_v2)(Pointer);
  int (*cuMemcpyHtoDAsync_v2)(Pointer, const void*, size_t, Handle);
  int (*cuMemcpyDtoHAsync_v2)(void*, Pointer, size_t, Handle);
  int (*cuStreamCreate)(Handle*, unsigned);
  int (*cuStreamSynchronize)(Handle);
  int (*cuEventCreate)(Handle*, unsigned);
  int (*cuEventRecord)(Handle, Handle);
  int (*cuEventSynchronize)(Handle);
  int (*cuEventElapsedTime)(float*, Handle, Handle);
} cu;

struct {
  int (*cublasCreate_v2)(Handle*);
  int (*cublasGetVersion_v2)(Handle, int*);
  int (*cublasSetStream_v2)(Handle, Handle);
  // handle, transA, transB, m, n, k, alpha, A, type, lda, stride, B, type, ldb, stride, beta, C, type, ldc, stride, batch, compute, algorithm
  int (*cublasGemmStridedBatchedEx)(Handle, int, int, int, int, int, const void*, const void*, int, int, long long, const void*, int,
                                    int, long long, const void*, void*, int, int, long long, int, int, int);
} blas;

constexpr int kFloat = 0;               // CUDA_R_32F
constexpr int kDefaultAlgorithm = -1;   // CUBLAS_GEMM_DEFAULT
constexpr unsigned kNonBlocking = 1;    // CU_STREAM_NON_BLOCKING
// cublasComputeType_t, and how far a factor is rounded.
struct Precision {
  const char* name;
  int compute;
  double ofFactors;
};
constexpr Precision precisions[] = {{"f32", 68, 0}, {"tf32", 77, 0x1p-10}, {"bf16", 75, 0x1p-7}};

[[noreturn]] void missing(const std::string& reason) {
  std::printf("{\"missing\":\"%s\"}\n", reason.c_str());
  std::exit(0);
}

void check(int result, const char* call) {
  if (result == 0) return;
  const char* name = nullptr;
  if (cu.cuGetErrorName != nullptr && std::strncmp(call, "cu", 2) == 0 && std::strncmp(call, "cublas", 6) != 0)
    cu.cuGetErrorName(result, &name);
  missing(std::string(call) + ": " + (name != nullptr ? name : "status " + std::to_string(result)));
}

template <class F> void find(void* library, const char* name, F*& function) {
  function = reinterpret_cast<F*>(dlsym(library, name));
  if (function == nullptr) missing(std::string("the library has no ") + name);
}

// ---- Products ----

Handle stream, handle;
uint64_t state = 1;

// Uniform in [-1, 1): xorshift64.
float uniform() {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return static_cast<float>(state >> 40) / static_cast<float>(1 << 23) - 1.0f;
}

class Matrix {
 public:
  explicit Matrix(size_t items) : host(items) {
    for (float& x : host) x = uniform();
    check(cu.cuMemAlloc_v2(&device, items * sizeof(float)), "cuMemAlloc");
    check(cu.cuMemcpyHtoDAsync_v2(device, host.data(), items * sizeof(float), stream), "cuMemcpyHtoD");
    check(cu.cuStreamSynchronize(stream), "cuStreamSynchronize");
  }
  ~Matrix() { cu.cuMemFree_v2(device); }
  Matrix(const Matrix&) = delete;
  Matrix& operator=(const Matrix&) = delete;
  void read() {
    check(cu.cuMemcpyDtoHAsync_v2(host.data(), device, host.size() * sizeof(float), stream), "cuMemcpyDtoH");
    check(cu.cuStreamSynchronize(stream), "cuStreamSynchronize");
  }
  void* data() const { return reinterpret_cast<void*>(device); }

  std::vector<float> host;
  Pointer device = 0;
};

struct Product {
  int batch, m, n, k, transA, transB;
  Matrix a{size_t(batch) * m * k}, b{size_t(batch) * k * n}, c{size_t(batch) * m * n};

  // C by rows is C^T by columns, which is B^T A^T.
  void multiply(const Precision& precision) const {
    const float one = 1, zero = 0;
    check(blas.cublasGemmStridedBatchedEx(
              handle, transB, transA, n, m, k, &one, b.data(), kFloat, transB ? k : n, static_cast<long long>(k) * n, a.data(), kFloat,
              transA ? m : k, static_cast<long long>(m) * k, &zero, c.data(), kFloat, n, static_cast<long long>(m) * n, batch,
              precision.compute, kDefaultAlgorithm),
          "cublasGemmStridedBatchedEx");
  }

  // How many elements leave the bound (8 (sqrt(k) + 4) 2^-24 + what rounded factors bring) |A||B|; NaN counts.
  int wrong(const Precision& precision) {
    multiply(precision);
    c.read();
    int count = 0;
    for (int s = 0; s < batch; s++)
      for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
          const float *x = &a.host[size_t(s) * m * k], *y = &b.host[size_t(s) * k * n];
          double sum = 0, size = 0;
          for (int l = 0; l < k; l++) {
            const double p = transA ? x[size_t(l) * m + i] : x[size_t(i) * k + l];
            const double q = transB ? y[size_t(j) * k + l] : y[size_t(l) * n + j];
            sum += p * q, size += std::fabs(p * q);
          }
          const double bound = (8 * (std::sqrt(k) + 4) * 0x1p-24 + precision.ofFactors) * size;
          if (!(std::fabs(c.host[(size_t(s) * m + i) * n + j] - sum) <= bound)) count++;
        }
    return count;
  }
};

// Sorted milliseconds of one product.
std::vector<double> sample(const Product& product, const Precision& precision, double budget) {
  Handle begin, end;
  check(cu.cuEventCreate(&begin, 0), "cuEventCreate");
  check(cu.cuEventCreate(&end, 0), "cuEventCreate");
  const auto time = [&](int inner) {
    check(cu.cuEventRecord(begin, stream), "cuEventRecord");
    for (int i = 0; i < inner; i++) product.multiply(precision);
    check(cu.cuEventRecord(end, stream), "cuEventRecord");
    check(cu.cuEventSynchronize(end), "cuEventSynchronize");
    float milliseconds = 0;
    check(cu.cuEventElapsedTime(&milliseconds, begin, end), "cuEventElapsedTime");
    return static_cast<double>(milliseconds) / inner;
  };
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); };
  time(1);
  const double once = std::max(time(1), 1e-3);
  const int inner = once < 1 ? static_cast<int>(std::ceil(1 / once)) : 1;
  for (const auto start = Clock::now(); since(start) < budget / 10;) time(inner);
  std::vector<double> ms;
  for (const auto start = Clock::now(); ms.size() < 300 && (ms.size() < 5 || since(start) < budget);) ms.push_back(time(inner));
  std::sort(ms.begin(), ms.end());
  return ms;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const Precision* precision = nullptr;
  for (const Precision& each : precisions)
    if (std::strcmp(each.name, argv[2]) == 0) precision = &each;
  if (precision == nullptr) return 2;
  const double budget = std::atof(argv[3]);
  const char* const chosen = std::getenv("ANNEAL_CUDA_LIBRARY");
  void* const driver = dlopen(chosen != nullptr && *chosen != '\0' ? chosen : "libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (driver == nullptr) missing("no NVIDIA driver");
#define FIND(name) find(driver, #name, cu.name)
  FIND(cuInit), FIND(cuDriverGetVersion), FIND(cuGetErrorName), FIND(cuDeviceGet), FIND(cuDeviceGetName);
  FIND(cuDevicePrimaryCtxRetain), FIND(cuCtxSetCurrent), FIND(cuMemAlloc_v2), FIND(cuMemFree_v2), FIND(cuMemcpyHtoDAsync_v2);
  FIND(cuMemcpyDtoHAsync_v2), FIND(cuStreamCreate), FIND(cuStreamSynchronize), FIND(cuEventCreate), FIND(cuEventRecord);
  FIND(cuEventSynchronize), FIND(cuEventElapsedTime);
#undef FIND
  int device = 0, driverVersion = 0, version = 0;
  char name[200] = "";
  Handle context;
  check(cu.cuInit(0), "cuInit");
  check(cu.cuDriverGetVersion(&driverVersion), "cuDriverGetVersion");
  check(cu.cuDeviceGet(&device, std::atoi(argv[1])), "cuDeviceGet");
  check(cu.cuDeviceGetName(name, sizeof name, device), "cuDeviceGetName");
  check(cu.cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
  check(cu.cuCtxSetCurrent(context), "cuCtxSetCurrent");
  check(cu.cuStreamCreate(&stream, kNonBlocking), "cuStreamCreate");

  void* library = nullptr;
  for (int i = 5; i < argc && library == nullptr; i++) library = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) missing(std::string("no ") + argv[5] + " on this machine (the CUDA toolkit brings it)");
#define FIND(name) find(library, #name, blas.name)
  FIND(cublasCreate_v2), FIND(cublasGetVersion_v2), FIND(cublasSetStream_v2), FIND(cublasGemmStridedBatchedEx);
#undef FIND
  check(blas.cublasCreate_v2(&handle), "cublasCreate");
  check(blas.cublasGetVersion_v2(handle, &version), "cublasGetVersion");
  check(blas.cublasSetStream_v2(handle, stream), "cublasSetStream");

  static constexpr int sizes[][3] = {{33, 65, 129}, {257, 96, 64}, {1, 200, 300}};
  for (const auto& [m, n, k] : sizes)
    for (int trans = 0; trans < 3; trans++) {
      Product product{m == 33 ? 2 : 1, m, n, k, trans == 2, trans == 1};
      if (const int count = product.wrong(*precision))
        missing("cuBLAS multiplies wrongly: " + std::to_string(count) + " elements of a product of " + std::to_string(m) + ", " +
                std::to_string(n) + ", " + std::to_string(k));
    }
  const bool emulated = dlsym(driver, "anneal_emulated_cuda") != nullptr;
  std::printf("{\"version\":\"%d.%d.%d\",\"device\":\"%s\",\"driver\":\"%d.%d\",\"emulated\":%s}\n", version / 10000,
              version / 100 % 100, version % 100, name, driverVersion / 1000, driverVersion % 1000 / 10, emulated ? "true" : "false");
  std::fflush(stdout);

  state = std::strtoull(argv[4], nullptr, 10) * 0x9E3779B97F4A7C15u | 1;
  char work[128];
  int batch, m, n, k, transA, transB;
  while (std::scanf("%127s %d %d %d %d %d %d", work, &batch, &m, &n, &k, &transA, &transB) == 7) {
    const Product product{batch, m, n, k, transA, transB};
    const std::vector<double> ms = sample(product, *precision, budget);
    std::printf("{\"work\":\"%s\",\"msMedian\":%.6g,\"msMin\":%.6g,\"msMax\":%.6g,\"samples\":%zu}\n", work, ms[ms.size() / 2],
                ms.front(), ms.back(), ms.size());
    std::fflush(stdout);
  }
  return 0;
}
