// Winograd F(4x4, 3x3): tiles are transformed, multiplied and transformed back some at a time, so that what lies between stays
// in L2.
#include "winograd.h"

#include "../sgemm/window_product.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t kPlaces = 36;
constexpr int64_t kChunkFloats = 131072;  // of transformed inputs and products of a chunk of tiles: half of an L2 of 1 MB
// Transforming the weights costs as much as some 30 tiles; 36 C OC floats of them pass through L3 for each chunk of tiles.
// Direct sums took 1.3 times as long at 512 x 512 channels and 392 tiles, and at 256 x 256 and 128 tiles. EPYC Zen 5, 2026-11-25.
constexpr int64_t kLeastTiles = 64, kMostWeights = 512 * 512;

int64_t tilesOf(int64_t size) { return ceilDiv(size, 4); }

// B^T d for six values a stride apart.
inline void transformInput(const vf (&d)[6], vf* to, int stride) {
  const vf a = d[4] - 4.0f * d[2], b = d[3] - 4.0f * d[1], c = d[4] - d[2], e = 2.0f * (d[3] - d[1]);
  to[0] = 4.0f * d[0] - 5.0f * d[2] + d[4];
  to[stride] = a + b;
  to[2 * stride] = a - b;
  to[3 * stride] = c + e;
  to[4 * stride] = c - e;
  to[5 * stride] = 4.0f * d[1] - 5.0f * d[3] + d[5];
}

// G g for three values.
inline void transformWeights(vf g0, vf g1, vf g2, vf (&to)[6]) {
  const vf sum = (g0 + g2) * (-1.0f / 6), middle = g1 * (1.0f / 6);
  const vf outer = g0 * (1.0f / 24) + g2 * (1.0f / 6), half = g1 * (1.0f / 12);
  to[0] = g0 * 0.25f;
  to[1] = sum - middle;
  to[2] = sum + middle;
  to[3] = outer + half;
  to[4] = outer - half;
  to[5] = g2;
}

// A^T m for six values a stride apart.
inline void transformOutput(const vf* m, int stride, vf (&to)[4]) {
  const vf p = m[stride] + m[2 * stride], q = m[stride] - m[2 * stride];
  const vf r = m[3 * stride] + m[4 * stride], s = m[3 * stride] - m[4 * stride];
  to[0] = m[0] + p + r;
  to[1] = q + 2.0f * s;
  to[2] = p + 4.0f * r;
  to[3] = q + 8.0f * s + m[5 * stride];
}

// One vector of weights, from nine places a tap apart (in the order given), to 36 places.
void transformWeightVector(const float* from, int64_t tap, bool turned, float* to, int64_t place) {
  vf rows[3][6];
  for (int q = 0; q < 3; ++q) {  // columns of taps: G w, then (G w) G^T
    vf g[3];
    for (int p = 0; p < 3; ++p) g[p] = load(from + (turned ? 8 - (3 * p + q) : 3 * p + q) * tap);
    transformWeights(g[0], g[1], g[2], rows[q]);
  }
  for (int i = 0; i < 6; ++i) {
    vf out[6];
    transformWeights(rows[0][i], rows[1][i], rows[2][i], out);
    for (int j = 0; j < 6; ++j) store(to + (6 * i + j) * place, out[j]);
  }
}

struct Tile4 {
  int64_t image, row, column;  // of the output, in tiles
};

// Tile `at` of x to row `row` of the 36 matrices, [rows, C] each, `place` floats apart.
void transformTile(const WinogradCall& call, const Tile4& at, const float* zeros, float* to, int64_t place) {
  const float* from[kPlaces];
  for (int64_t i = 0; i < 6; ++i)
    for (int64_t j = 0; j < 6; ++j) {
      const int64_t y = 4 * at.row + i - call.top, x = 4 * at.column + j - call.left;
      const bool inside = y >= 0 && y < call.h && x >= 0 && x < call.w;
      from[6 * i + j] = inside ? call.x + ((at.image * call.h + y) * call.w + x) * call.c : zeros;
    }
  for (int64_t c = 0; c < call.c; c += kLanes) {
    vf columns[6][6];
    ANNEAL_UNROLL for (int j = 0; j < 6; ++j) {
      vf d[6];
      ANNEAL_UNROLL for (int i = 0; i < 6; ++i) d[i] = load(from[6 * i + j] + c);
      transformInput(d, &columns[0][j], 6);
    }
    ANNEAL_UNROLL for (int i = 0; i < 6; ++i) {
      vf out[6];
      transformInput(columns[i], out, 1);
      ANNEAL_UNROLL for (int j = 0; j < 6; ++j) store(to + (6 * i + j) * place + c, out[j]);
    }
  }
}

// The products of one tile back to its outputs.
void transformBack(const WinogradCall& call, const Tile4& at, const float* from, int64_t place) {
  const int64_t rows = least(4, call.oh - 4 * at.row), columns = least(4, call.ow - 4 * at.column);
  float* const to = call.y + ((at.image * call.oh + 4 * at.row) * call.ow + 4 * at.column) * call.oc;
  for (int64_t o = 0; o < call.oc; o += kLanes) {
    vf half[4][6];
    ANNEAL_UNROLL for (int j = 0; j < 6; ++j) {
      vf m[6], out[4];
      ANNEAL_UNROLL for (int i = 0; i < 6; ++i) m[i] = load(from + (6 * i + j) * place + o);
      transformOutput(m, 1, out);
      ANNEAL_UNROLL for (int i = 0; i < 4; ++i) half[i][j] = out[i];
    }
    const vf bias = call.bias == nullptr ? vf{} : load(call.bias + o);
    for (int64_t i = 0; i < rows; ++i) {
      vf out[4];
      transformOutput(half[i], 1, out);
      for (int64_t j = 0; j < columns; ++j)
        store(to + (i * call.ow + j) * call.oc + o, activate(out[j] + bias, call.activation));
    }
  }
}

}  // namespace

bool winogradFits(const WinogradCall& call) {
  const int64_t tiles = call.n * tilesOf(call.oh) * tilesOf(call.ow), outputs = call.n * call.oh * call.ow;
  // A window that lies in the padding alone is exactly 0 by the direct sums.
  const bool reaches = call.top <= 2 && call.left <= 2 && call.oh <= call.h + call.top && call.ow <= call.w + call.left;
  return reaches && call.c % 16 == 0 && call.oc % 16 == 0 && call.c >= 32 && call.oc >= 32 && call.c * call.oc <= kMostWeights &&
         tiles >= kLeastTiles && 10 * 16 * tiles <= 14 * outputs;  // at most 4 outputs of 14 to waste
}

void convolveWinograd(Exec& exec, const WinogradCall& call) {
  const int64_t c = call.c, oc = call.oc, panels = ceilDiv(oc, kTileColumns), size = panelFloats<kTileColumns>(c);
  // Weights: transformed as they lie, then packed into panels for each place.
  const int64_t inner = call.turned ? c : oc, outer = call.turned ? oc : c;  // as stored: [taps][outer][inner]
  auto* const packed =
      static_cast<float*>(exec.scratch(Exec::kShared, 0, static_cast<size_t>(kPlaces * panels * size) * 4));
  auto* const plain = static_cast<float*>(
      exec.scratch(Exec::kShared, 3, static_cast<size_t>(kPlaces * inner * outer + c) * sizeof(float)));
  float* const zeros = plain + kPlaces * inner * outer;
  std::memset(zeros, 0, static_cast<size_t>(c) * sizeof(float));
  parallelRange(exec, outer, 1 + 16384 / inner, [&](int64_t begin, int64_t end, int) {
    for (int64_t at = begin * inner; at < end * inner; at += kLanes)
      transformWeightVector(call.weights + at, inner * outer, call.turned, plain + at, inner * outer);
  });
  parallelRange(exec, kPlaces * panels, 1 + 16384 / size, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const MatrixPacker<kTileColumns> pack{plain + i / panels * inner * outer, inner, !call.turned};
      const int64_t first = i % panels * kTileColumns;
      packPanels<kTileColumns>(pack, first, least(oc, first + kTileColumns), 0, c, packed + i * size);
    }
  });

  const int64_t high = tilesOf(call.oh), wide = tilesOf(call.ow), tiles = call.n * high * wide;
  // A whole number of register tiles, if there are as many.
  int64_t each = kChunkFloats / (kPlaces * (c + oc));
  each = each < kTileRows ? kTileRows : each / kTileRows * kTileRows;
  const int64_t inputPlace = each * c + 16, outputPlace = each * oc + 16;  // not a power of two apart
  const int64_t start = 0;
  const Segments whole{&start, c};
  parallelRange(exec, tiles, each, [&](int64_t begin, int64_t end, int worker) {
    auto* const inputs = static_cast<float*>(
        exec.scratch(worker, 1, static_cast<size_t>(kPlaces * (inputPlace + outputPlace)) * sizeof(float)));
    float* const products = inputs + kPlaces * inputPlace;
    const auto tileAt = [&](int64_t i) { return Tile4{i / wide / high, i / wide % high, i % wide}; };
    for (int64_t i = begin; i < end; ++i) transformTile(call, tileAt(i), zeros, inputs + (i - begin) * c, inputPlace);
    const int64_t rows = end - begin, parts = ceilDiv(rows, kTileRows);
    for (int64_t place = 0; place < kPlaces; ++place)
      for (int64_t panel = 0; panel < panels; ++panel) {
        const int64_t columns = least(kTileColumns, oc - panel * kTileColumns);
        const int vectors = static_cast<int>(columns / kLanes);
        for (int64_t part = 0; part < parts; ++part) {
          const int64_t first = rows * part / parts, last = rows * (part + 1) / parts;
          const TileStore s{products + place * outputPlace + first * oc + panel * kTileColumns, oc,    nullptr,
                            Activation::none,                                                   false, false,
                            kLanes};
          windowTileFor(static_cast<int>(last - first), vectors)(inputs + place * inputPlace + first * c, c, whole, 1,
                                                                 packed + (place * panels + panel) * size, s);
        }
      }
    for (int64_t i = begin; i < end; ++i) transformBack(call, tileAt(i), products + (i - begin) * oc, outputPlace);
  });
}

}  // namespace anneal::ANNEAL_ISA
