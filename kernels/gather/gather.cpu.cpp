// CPU bodies of gather: rows are copied in parallel; the sum back gives each task a range of the table's rows, or of
// its columns where rows are long, so that no item has two writers and each adds in the order of the indices.
#include "gather.h"

#include "../common/parallel.h"
#include "../common/simd.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t kTaskItems = 16384;   // about what it takes for a task to outweigh waking a thread
constexpr int64_t kColumnBlock = 256;   // 1 KiB of a row: long enough to stream
constexpr int64_t kRowRanges = 16;      // every range reads all indices: only long rows are worth so many

int64_t checkedIndex(const int32_t* indices, int64_t i, int64_t rows) {
  const int64_t index = indices[i];
  if (index < 0 || index >= rows)
    raise(Code::range, "expected indices in [0, %lld), received %lld at position %lld", static_cast<long long>(rows),
          static_cast<long long>(index), static_cast<long long>(i));
  return index;
}

void addRow(float* out, const float* x, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, load(out + i) + load(x + i));
  for (; i < n; ++i) out[i] += x[i];
}

// Adds into rows [firstRow, lastRow) and columns [firstColumn, firstColumn + columns) of the table.
void scatter(const GatherBackwardParams& p, const int32_t* indices, const float* dy, float* dtable, int64_t firstRow,
             int64_t lastRow, int64_t firstColumn, int64_t columns) {
  const int64_t width = p.width;
  for (int64_t r = firstRow; r < lastRow; ++r)
    std::memset(dtable + r * width + firstColumn, 0, static_cast<size_t>(columns) * 4);
  for (int64_t i = 0; i < p.count; ++i) {
    const int64_t row = checkedIndex(indices, i, p.rows);
    if (row < firstRow || row >= lastRow) continue;
    addRow(dtable + row * width + firstColumn, dy + i * width + firstColumn, columns);
  }
}

}  // namespace

void gather(const OpCall& call) {
  const auto& p = call.as<GatherParams>();
  const int64_t rowBytes = int64_t{p.width} * (p.dtype == static_cast<uint32_t>(DType::u8) ? 1 : 4);
  const auto* table = call.input<uint8_t>(0);
  const int32_t* indices = call.input<int32_t>(1);
  auto* out = call.output<uint8_t>(0);
  parallelRange(call.exec, p.count, kTaskItems / (rowBytes / 4 + 1) + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = checkedIndex(indices, i, p.rows);
      std::memcpy(out + i * rowBytes, table + row * rowBytes, static_cast<size_t>(rowBytes));
    }
  });
}

void gather_backward(const OpCall& call) {
  const auto& p = call.as<GatherBackwardParams>();
  const int64_t rows = p.rows, width = p.width;
  const int32_t* indices = call.input<int32_t>(0);
  const float* dy = call.input<float>(1);
  float* dtable = call.output<float>(0);
  const bool small = (p.count + rows) * width < kTaskItems;
  if (!small && width >= 2 * kColumnBlock) {
    parallelRange(call.exec, width, kColumnBlock, [&](int64_t begin, int64_t end, int) {
      scatter(p, indices, dy, dtable, 0, rows, begin, end - begin);
    });
    return;
  }
  if (rows == 0 || width == 0) {  // nothing to add, but an index may still be wrong
    scatter(p, indices, dy, dtable, 0, 0, 0, width);
    return;
  }
  const int64_t wanted = width / 8 + 1;
  const int64_t ranges = wanted < kRowRanges ? wanted : kRowRanges;
  const int64_t grain = small ? rows : (rows + ranges - 1) / ranges;
  parallelRange(call.exec, rows, grain, [&](int64_t begin, int64_t end, int) {
    scatter(p, indices, dy, dtable, begin, end, 0, width);
  });
}

}  // namespace anneal::ANNEAL_ISA
