// 2-D convolution on the CPU: implicit gemm in all three directions (windows.h, ../sgemm/), and kernels
// that go row by row for the shapes to which that gives more (in_place.h).
#include "conv2d.h"

#include "in_place.h"
#include "windows.h"
#include "winograd.h"

namespace anneal::ANNEAL_ISA {
namespace {

void zero(float* to, int64_t count) { std::memset(to, 0, static_cast<size_t>(count) * 4); }

bool isWinograd(const Shape& s) {
  return s.kh == 3 && s.kw == 3 && s.sh == 1 && s.sw == 1 && s.dh == 1 && s.dw == 1 && s.groups == 1;
}

// ---- backward-data ----

// One axis of a phase: input positions first, first + stride, ... (count of them) whose gradient comes from the taps
// kernel index `tap(t)` at output position q + shift(t), t < taps. Shifts ascend.
struct PhaseAxis {
  int64_t first, count, taps, tapFirst, tapStep, shiftFirst, shiftStep;

  int64_t tap(int64_t t) const { return tapFirst - t * tapStep; }
  int64_t shift(int64_t t) const { return shiftFirst + t * shiftStep; }
};

int64_t greatestCommonDivisor(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

PhaseAxis phaseAxis(int64_t phase, int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad) {
  PhaseAxis axis{};
  axis.first = ((phase - pad) % stride + stride) % stride;
  axis.count = axis.first < size ? ceilDiv(size - axis.first, stride) : 0;
  // Taps k with k * dilation = phase (mod stride): one residue class, or none.
  axis.tapStep = stride / greatestCommonDivisor(stride, dilation);
  axis.shiftStep = axis.tapStep * dilation / stride;
  int64_t lowest = 0;
  while (lowest < axis.tapStep && lowest < kernel && (lowest * dilation - phase) % stride != 0) ++lowest;
  if (lowest >= axis.tapStep || lowest >= kernel) return axis;
  axis.taps = (kernel - 1 - lowest) / axis.tapStep + 1;
  axis.tapFirst = lowest + (axis.taps - 1) * axis.tapStep;
  // (first + pad - k dilation) is a multiple of the stride, of either sign.
  axis.shiftFirst = (axis.first + pad - axis.tapFirst * dilation) / stride;
  return axis;
}

// How much of the output's gradient, and of zeros around it, the phases of one axis look at.
struct Reach {
  int64_t before = 0, end = 0;
};

Reach reachOf(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad) {
  Reach reach;
  for (int64_t phase = 0; phase < stride; ++phase) {
    const PhaseAxis axis = phaseAxis(phase, size, kernel, stride, dilation, pad);
    if (axis.count == 0 || axis.taps == 0) continue;
    if (-axis.shift(0) > reach.before) reach.before = -axis.shift(0);
    const int64_t end = axis.count + axis.shift(axis.taps - 1);
    if (end > reach.end) reach.end = end;
  }
  return reach;
}

// Rows of the phase's result [N, rows, columns, C/G], dense, to their places in dx.
void scatter(Exec& exec, const Shape& s, const PhaseAxis& v, const PhaseAxis& u, const float* from, float* dx) {
  parallelRange(exec, s.n * v.count, 1 + 32768 / (u.count * s.cg + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      float* to = dx + ((row / v.count * s.h + v.first + row % v.count * s.sh) * s.w + u.first) * s.c;
      const float* source = from + row * u.count * s.cg;
      for (int64_t j = 0; j < u.count; ++j, to += s.sw * s.c, source += s.cg)
        std::memcpy(to, source, static_cast<size_t>(s.cg) * 4);
    }
  });
}

}  // namespace

void conv2d(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const Shape s(p);
  if (s.positions() == 0) return;
  const float* const bias = call.nIn > 2 ? call.input<float>(2) : nullptr;
  const WinogradCall winograd{call.input<float>(0),  s.n,  s.h,  s.w,  s.c,  s.top, s.left,
                              call.input<float>(1),  false, call.output<float>(0), s.oh, s.ow, s.oc, bias,
                              static_cast<Activation>(p.activation)};
  if (isWinograd(s) && winogradFits(winograd)) return convolveWinograd(call.exec, winograd);
  if (conv2dInPlace(call)) return;
  const ForwardWindows windows = forwardWindows(call.exec, s, call.input<float>(0));
  for (int64_t g = 0; g < s.groups; ++g) {
    const float* const image = windows.image.data + g * s.cg;
    const MatrixPacker<kTileColumns> packB{call.input<float>(1) + g * s.og, s.oc, true};
    const Epilogue epilogue{bias == nullptr ? nullptr : bias + g * s.og, static_cast<Activation>(p.activation), false};
    if (windowsInPlace(windows.grid.neighbours(), windows.segmentCount, windows.segments.length, s.og)) {
      const Places places{call.output<float>(0) + g * s.og, s.oh * s.ow * s.oc, s.ow * s.oc, s.oc};
      multiplyWindows(call.exec, image, s.n, windows.grid, windows.segments, windows.segmentCount, s.og, packB, places,
                      epilogue);
      continue;
    }
    const WindowPacker packA{image, windows.grid, windows.segments};
    gemm(call.exec, s.positions(), s.og, s.kh * s.kw * s.cg, packA, packB, call.output<float>(0) + g * s.og, s.oc,
         epilogue);
  }
}

// Each of the strideH x strideW phases of the input is a convolution of dy, stride 1, with the taps that reach it: no
// zeros are inserted and nothing is added up afterwards.
void conv2d_backward_data(const OpCall& call) {
  const Shape s(call.as<Conv2dParams>());
  float* const dx = call.output<float>(0);
  if (s.n * s.h * s.w == 0) return;
  if (s.positions() == 0) return zero(dx, s.n * s.h * s.w * s.c);
  const WinogradCall winograd{call.input<float>(0), s.n, s.oh, s.ow, s.oc, 2 - s.top, 2 - s.left, call.input<float>(1), true,
                              dx, s.h, s.w, s.c, nullptr, Activation::none};
  if (isWinograd(s) && winogradFits(winograd)) return convolveWinograd(call.exec, winograd);
  if (conv2dBackwardDataInPlace(call)) return;
  const Reach v = reachOf(s.h, s.kh, s.sh, s.dh, s.top), u = reachOf(s.w, s.kw, s.sw, s.dw, s.left);
  const int64_t rows = v.before + v.end, columns = u.before + u.end;
  const Padded dy =
      padImages(call.exec, call.input<float>(0), s.n, s.oh, s.ow, s.oc, v.before, u.before, rows, columns);

  const bool direct = s.sh == 1 && s.sw == 1;  // one phase, whose rows are those of dx
  const size_t phaseRows = static_cast<size_t>(s.n * ceilDiv(s.h, s.sh) * ceilDiv(s.w, s.sw));
  const size_t tapBytes = static_cast<size_t>(s.kh * s.kw) * 8;
  auto* const taps = static_cast<int64_t*>(call.exec.scratch(
      Exec::kShared, 3, 2 * tapBytes + (direct ? 0 : phaseRows * static_cast<size_t>(s.cg) * 4)));
  int64_t* const offsets = taps + s.kh * s.kw;
  float* const dense = reinterpret_cast<float*>(offsets + s.kh * s.kw);

  for (int64_t phase = 0; phase < s.sh * s.sw; ++phase) {
    const PhaseAxis a = phaseAxis(phase / s.sw, s.h, s.kh, s.sh, s.dh, s.top);
    const PhaseAxis b = phaseAxis(phase % s.sw, s.w, s.kw, s.sw, s.dw, s.left);
    if (a.count == 0 || b.count == 0) continue;
    const bool whole = s.groups == 1 && b.shiftStep == 1;
    int64_t tapCount = 0, segmentCount = 0;
    for (int64_t i = 0; i < a.taps; ++i)
      for (int64_t j = 0; j < b.taps; ++j) {
        taps[tapCount++] = a.tap(i) * s.kw + b.tap(j);
        if (whole && j > 0) continue;
        offsets[segmentCount++] = ((v.before + a.shift(i)) * dy.w + u.before + b.shift(j)) * s.oc;
      }
    const Grid grid{a.count, b.count, dy.h * dy.w * s.oc, dy.w * s.oc, s.oc};
    const Segments segments{offsets, whole ? b.taps * s.oc : s.og};
    for (int64_t g = 0; g < s.groups; ++g) {
      const TransposedWeightPacker packB{call.input<float>(1) + g * s.og, taps, s.cg, s.og, s.oc};
      if (segmentCount > 0 && windowsInPlace(direct ? grid.neighbours() : b.count, segmentCount, segments.length, s.cg)) {
        const Places places{dx + (a.first * s.w + b.first) * s.c + g * s.cg, s.h * s.w * s.c, s.sh * s.w * s.c, s.sw * s.c};
        multiplyWindows(call.exec, dy.data + g * s.og, s.n, grid, segments, segmentCount, s.cg, packB, places, {});
        continue;
      }
      const WindowPacker packA{dy.data + g * s.og, grid, segments};
      float* const to = direct ? dx + g * s.cg : dense;
      gemm(call.exec, s.n * a.count * b.count, s.cg, tapCount * s.og, packA, packB, to, direct ? s.c : s.cg, {});
      if (!direct) scatter(call.exec, s, a, b, dense, dx + g * s.cg);
    }
  }
}

}  // namespace anneal::ANNEAL_ISA
