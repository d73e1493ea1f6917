// Layer normalisation on the CPU: one task is a block of rows; a row stays in cache for its two or three passes.
#include "../common/parallel.h"
#include "../common/stream.h"
#include "layer_norm.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t kTaskElements = 1 << 14;
constexpr int64_t kMaxChunks = 32;  // partial sums of dgamma and dbeta
constexpr int64_t kAhead = 2048;    // items from where a row is read to where it is fetched, while a later pass reads it again
constexpr int kUnroll = 4;          // vectors of partial sums, to hide the latency of an addition

static inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// sum over j of term(j): vector(j) gives kLanes terms at once, scalar(j) one. The order depends on `n` alone.
template <class V, class S> static inline float sumTerms(int64_t n, const V& vector, const S& scalar) {
  vf acc[kUnroll] = {};
  int64_t j = 0;
  for (; j + kUnroll * kLanes <= n; j += kUnroll * kLanes)
    for (int u = 0; u < kUnroll; ++u) acc[u] += vector(j + u * kLanes);
  for (; j + kLanes <= n; j += kLanes) acc[0] += vector(j);
  float total = j > 0 ? sum((acc[0] + acc[1]) + (acc[2] + acc[3])) : 0.0f;
  for (; j < n; ++j) total += scalar(j);
  return total;
}

static inline void normalizeRow(const float* x, const float* gamma, const float* beta, int64_t cols, float eps,
                                bool streams, float* y, float& meanOut, float& rstdOut) {
  const float count = static_cast<float>(cols > 0 ? cols : 1);
  const auto value = [&](int64_t j) { return load(x + j); };
  const auto value1 = [&](int64_t j) { return x[j]; };
  const float mean = sumTerms(cols, value, value1) / count;
  const auto square = [&](int64_t j) {
    __builtin_prefetch(x + j + kAhead);
    const vf d = load(x + j) - splat(mean);
    return d * d;
  };
  const auto square1 = [&](int64_t j) { return (x[j] - mean) * (x[j] - mean); };
  const float rstd = 1.0f / __builtin_sqrtf(sumTerms(cols, square, square1) / count + eps);
  eachVectorTo(y, streams, cols, [=](int64_t j, int lanes, auto stores) {
    vf v = (loadLanes(x + j, lanes, 0.0f) - splat(mean)) * splat(rstd);
    if (gamma) v *= loadLanes(gamma + j, lanes, 0.0f);
    if (beta) v += loadLanes(beta + j, lanes, 0.0f);
    putLanes(stores, y + j, v, lanes);
  });
  meanOut = mean;
  rstdOut = rstd;
}

// One row of the backward pass; dgamma and dbeta (each or both may be nullptr) are sums over the rows of the chunk.
static inline void backwardRow(const float* dy, const float* x, const float* gamma, float mean, float rstd,
                               int64_t cols, bool streams, float* dx, float* dgamma, float* dbeta) {
  const auto xhatAt = [=](int64_t j, int lanes) { return (loadLanes(x + j, lanes, mean) - splat(mean)) * splat(rstd); };
  const auto scaled = [=](vf d, int64_t j, int lanes) { return gamma ? d * loadLanes(gamma + j, lanes, 0.0f) : d; };
  vf sumG[kUnroll] = {}, sumGX[kUnroll] = {};
  const auto add = [&](int64_t j, int lanes, int u) {
    __builtin_prefetch(x + j + kAhead);
    const vf g = scaled(loadLanes(dy + j, lanes, 0.0f), j, lanes);
    sumG[u] += g;
    sumGX[u] += g * xhatAt(j, lanes);
  };
  int64_t at = 0;
  for (; at + kUnroll * kLanes <= cols; at += kUnroll * kLanes)
    ANNEAL_UNROLL for (int u = 0; u < kUnroll; ++u) add(at + u * kLanes, kLanes, u);
  for (; at + kLanes <= cols; at += kLanes) add(at, kLanes, 0);
  if (at < cols) add(at, static_cast<int>(cols - at), 0);
  const auto meanOf = [=](const vf* v) { return sum((v[0] + v[1]) + (v[2] + v[3])) / static_cast<float>(cols); };
  const vf meanG = splat(meanOf(sumG)), meanGX = splat(meanOf(sumGX));
  eachVectorTo(dx, streams, cols, [=](int64_t j, int lanes, auto stores) {
    __builtin_prefetch(dy + j + kAhead);
    const vf d = loadLanes(dy + j, lanes, 0.0f), h = xhatAt(j, lanes);
    if (dgamma) putLanes(PlainStores{}, dgamma + j, loadLanes(dgamma + j, lanes, 0.0f) + d * h, lanes);
    if (dbeta) putLanes(PlainStores{}, dbeta + j, loadLanes(dbeta + j, lanes, 0.0f) + d, lanes);
    putLanes(stores, dx + j, splat(rstd) * (scaled(d, j, lanes) - meanG - h * meanGX), lanes);
  });
}

}  // namespace

void layer_norm(const OpCall& call) {
  const auto& p = call.as<LayerNormParams>();
  const float* x = call.input<float>(0);
  const float* gamma = call.nIn > 1 ? call.input<float>(1) : nullptr;
  const float* beta = call.nIn > 2 ? call.input<float>(2) : nullptr;
  float* y = call.output<float>(0);
  float* means = call.nOut > 1 ? call.output<float>(1) : nullptr;
  float* rstds = call.nOut > 2 ? call.output<float>(2) : nullptr;
  const int64_t cols = p.cols;
  if (cols == 0 && !means && !rstds) return;
  const bool streams = wantsStreams(call);
  parallelRange(call.exec, p.rows, kTaskElements / (cols + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float mean, rstd;
      normalizeRow(x + i * cols, gamma, beta, cols, p.eps, streams, y + i * cols, mean, rstd);
      if (means) means[i] = mean;
      if (rstds) rstds[i] = rstd;
    }
    fenceStreams();
  });
}

void layer_norm_backward(const OpCall& call) {
  const auto& p = call.as<LayerNormBackwardParams>();
  const float* dy = call.input<float>(0);
  const float* x = call.input<float>(1);
  const float* gamma = call.input<float>(2);
  const float* mean = call.input<float>(3);
  const float* rstd = call.input<float>(4);
  float* dx = call.output<float>(0);
  float* dgamma = call.nOut > 1 ? call.output<float>(1) : nullptr;
  float* dbeta = call.nOut > 2 ? call.output<float>(2) : nullptr;
  const int64_t rows = p.rows, cols = p.cols;
  if (cols == 0) return;

  const bool streams = wantsStreams(call);
  const int64_t least = kTaskElements / cols + 1, wanted = ceilDiv(rows, kMaxChunks);
  const int64_t chunkRows = wanted > least ? wanted : least;
  const int64_t chunks = ceilDiv(rows, chunkRows);
  const int64_t stride = (dgamma ? cols : 0) + (dbeta ? cols : 0);  // a chunk's sums: dgamma, then dbeta
  float* partials = nullptr;
  if (stride > 0 && chunks > 0)
    partials = static_cast<float*>(call.exec.scratch(Exec::kShared, 0, static_cast<size_t>(chunks * stride) * 4));

  parallel(call.exec, chunks, [&](int64_t chunk, int) {
    float* partial = partials ? partials + chunk * stride : nullptr;
    if (partial) std::memset(partial, 0, static_cast<size_t>(stride) * 4);
    float* gammaSums = dgamma ? partial : nullptr;
    float* betaSums = dbeta ? partial + stride - cols : nullptr;
    const int64_t last = (chunk + 1) * chunkRows, end = last < rows ? last : rows;
    for (int64_t i = chunk * chunkRows; i < end; ++i)
      backwardRow(dy + i * cols, x + i * cols, gamma, mean[i], rstd[i], cols, streams, dx + i * cols, gammaSums, betaSums);
    fenceStreams();
  });

  const auto reduce = [&](float* to, int64_t offset) {
    if (!to) return;
    for (int64_t j = 0; j < cols; ++j) to[j] = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      for (int64_t j = 0; j < cols; ++j) to[j] += partials[chunk * stride + offset + j];
  };
  reduce(dgamma, 0);
  reduce(dbeta, stride - cols);
}

}  // namespace anneal::ANNEAL_ISA
