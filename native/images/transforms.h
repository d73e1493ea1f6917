// What is done to one image. Sizes and offsets were checked by whoever calls (augment.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "augment.h"

namespace anneal::images {

// Height x width pixels of `channels` values, row-major.
template <class T> struct View {
  T* data;
  int64_t height, width, channels;

  T* row(int64_t y) const { return data + y * width * channels; }
};

// A value as T stores it: a byte rounded to the nearest, ties up; NaN as 0.
template <class T> T stored(float value);
template <> inline float stored<float>(float value) { return value; }
template <> inline uint8_t stored<uint8_t>(float value) {
  if (!(value > 0)) return 0;
  return value >= 255 ? 255 : static_cast<uint8_t>(value + 0.5f);
}

template <class T> void flipColumns(const View<T>& image);
template <class T> void flipRows(const View<T>& image);
// to(y, x) = from(y + dy, x + dx), beyond the edges as `border` says.
template <class T>
void moveImage(const View<T>& from, const View<T>& to, int64_t dy, int64_t dx, Border border, T fill);
// Against the clock by `degrees` and larger by `scale`, about ((height - 1) / 2, (width - 1) / 2).
template <class T> void turnImage(const View<T>& from, T* to, double degrees, double scale, Border border, float fill);
template <class T> void cutOut(const View<T>& image, int64_t y, int64_t x, int64_t size, T fill);

struct Colour {
  float brightness, contrast, saturation, hue;
};

template <class T> void colourImage(const View<T>& image, const Colour& colour);

}  // namespace anneal::images
