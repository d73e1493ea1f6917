#include "transforms.h"

#include <algorithm>
#include <cmath>

namespace anneal::images {
namespace {

// The pixel that stands for position i of an axis of `length`; -1: the fill. What lies further beyond an edge than a
// reflection reaches is the other edge's pixel.
int64_t source(int64_t i, int64_t length, Border border) {
  if (i >= 0 && i < length) return i;
  if (border == Border::fill) return -1;
  if (border == Border::reflect) i = i < 0 ? -i : 2 * length - 2 - i;
  return std::clamp<int64_t>(i, 0, length - 1);
}

// Of what is far below 2^63. (std::floor is a call on the oldest x86-64.)
int64_t floorOf(double value) {
  const auto whole = static_cast<int64_t>(value);
  return whole - (static_cast<double>(whole) > value ? 1 : 0);
}

template <class T> void copyPixel(T* to, const T* from, int64_t channels) { std::copy(from, from + channels, to); }

}  // namespace

template <class T> void flipColumns(const View<T>& image) {
  for (int64_t y = 0; y < image.height; ++y) {
    T* const row = image.row(y);
    if (image.channels == 1) {
      std::reverse(row, row + image.width);
      continue;
    }
    for (int64_t left = 0, right = image.width - 1; left < right; ++left, --right)
      std::swap_ranges(row + left * image.channels, row + (left + 1) * image.channels, row + right * image.channels);
  }
}

template <class T> void flipRows(const View<T>& image) {
  const int64_t items = image.width * image.channels;
  for (int64_t top = 0, bottom = image.height - 1; top < bottom; ++top, --bottom)
    std::swap_ranges(image.row(top), image.row(top) + items, image.row(bottom));
}

template <class T>
void moveImage(const View<T>& from, const View<T>& to, int64_t dy, int64_t dx, Border border, T fill) {
  const int64_t channels = from.channels;
  // Columns of the output that are within the input.
  const int64_t begin = std::clamp<int64_t>(-dx, 0, to.width);
  const int64_t end = std::clamp<int64_t>(from.width - dx, begin, to.width);
  for (int64_t y = 0; y < to.height; ++y) {
    T* const out = to.row(y);
    const int64_t sourceY = source(y + dy, from.height, border);
    if (sourceY < 0) {
      std::fill(out, out + to.width * channels, fill);
      continue;
    }
    const T* const in = from.row(sourceY);
    const auto edge = [&](int64_t x) {
      const int64_t sourceX = source(x + dx, from.width, border);
      if (sourceX < 0) std::fill(out + x * channels, out + (x + 1) * channels, fill);
      else copyPixel(out + x * channels, in + sourceX * channels, channels);
    };
    for (int64_t x = 0; x < begin; ++x) edge(x);
    if (end > begin) std::copy(in + (begin + dx) * channels, in + (end + dx) * channels, out + begin * channels);
    for (int64_t x = end; x < to.width; ++x) edge(x);
  }
}

template <class T> void turnImage(const View<T>& from, T* to, double degrees, double scale, Border border, float fill) {
  const double radians = degrees * 3.14159265358979323846 / 180;
  const double cosine = std::cos(radians) / scale, sine = std::sin(radians) / scale;
  const double middleY = static_cast<double>(from.height - 1) / 2, middleX = static_cast<double>(from.width - 1) / 2;
  const int64_t channels = from.channels;
  for (int64_t y = 0; y < from.height; ++y) {
    const double fromMiddle = static_cast<double>(y) - middleY;
    for (int64_t x = 0; x < from.width; ++x) {
      const double across = static_cast<double>(x) - middleX;
      const double sourceY = sine * across + cosine * fromMiddle + middleY;
      const double sourceX = cosine * across - sine * fromMiddle + middleX;
      const int64_t top = floorOf(sourceY), left = floorOf(sourceX);
      const float down = static_cast<float>(sourceY - static_cast<double>(top));
      const float right = static_cast<float>(sourceX - static_cast<double>(left));
      const float weights[] = {(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right};
      if (top >= 0 && left >= 0 && top + 1 < from.height && left + 1 < from.width) {
        const T* const upper = from.row(top) + left * channels;
        const T* const lower = upper + from.width * channels;
        for (int64_t c = 0; c < channels; ++c)
          *to++ = stored<T>(weights[0] * static_cast<float>(upper[c]) + weights[1] * static_cast<float>(upper[channels + c]) +
                            weights[2] * static_cast<float>(lower[c]) + weights[3] * static_cast<float>(lower[channels + c]));
        continue;
      }
      const T* pixels[4];
      for (int64_t i = 0; i < 4; ++i) {
        const int64_t atY = source(top + i / 2, from.height, border), atX = source(left + i % 2, from.width, border);
        pixels[i] = atY < 0 || atX < 0 ? nullptr : from.row(atY) + atX * channels;
      }
      for (int64_t c = 0; c < channels; ++c) {
        float sum = 0;
        for (int i = 0; i < 4; ++i) sum += weights[i] * (pixels[i] == nullptr ? fill : static_cast<float>(pixels[i][c]));
        *to++ = stored<T>(sum);
      }
    }
  }
}

template <class T> void cutOut(const View<T>& image, int64_t y, int64_t x, int64_t size, T fill) {
  const int64_t top = std::max<int64_t>(y - size / 2, 0), bottom = std::min(y - size / 2 + size, image.height);
  const int64_t left = std::max<int64_t>(x - size / 2, 0), right = std::min(x - size / 2 + size, image.width);
  for (int64_t row = top; row < bottom; ++row)
    std::fill(image.row(row) + left * image.channels, image.row(row) + right * image.channels, fill);
}

template void flipColumns(const View<uint8_t>&);
template void flipColumns(const View<float>&);
template void flipRows(const View<uint8_t>&);
template void flipRows(const View<float>&);
template void moveImage(const View<uint8_t>&, const View<uint8_t>&, int64_t, int64_t, Border, uint8_t);
template void moveImage(const View<float>&, const View<float>&, int64_t, int64_t, Border, float);
template void turnImage(const View<uint8_t>&, uint8_t*, double, double, Border, float);
template void turnImage(const View<float>&, float*, double, double, Border, float);
template void cutOut(const View<uint8_t>&, int64_t, int64_t, int64_t, uint8_t);
template void cutOut(const View<float>&, int64_t, int64_t, int64_t, float);

}  // namespace anneal::images
