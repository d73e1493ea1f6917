// Brightness, contrast, saturation and hue. Grey is Rec. 601 luma, 0.299 R + 0.587 G + 0.114 B, as in Pillow and torchvision.
#include <algorithm>
#include <cmath>

#include "transforms.h"

namespace anneal::images {
namespace {

template <class T> constexpr float kWhite = 1;
template <> constexpr float kWhite<uint8_t> = 255;

float limit(float value, float white) { return std::min(std::max(value, 0.0f), white); }

float luma(const float* rgb) { return 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]; }

// Turns the hue by `turn` of a circle, in place. Smith, "Color gamut transform pairs" (1978).
void turnHue(float* rgb, float turn) {
  const float most = std::max({rgb[0], rgb[1], rgb[2]}), least = std::min({rgb[0], rgb[1], rgb[2]});
  const float range = most - least;
  if (!(range > 0)) return;
  float hue;  // in sixths
  if (most == rgb[0]) hue = (rgb[1] - rgb[2]) / range;
  else if (most == rgb[1]) hue = 2 + (rgb[2] - rgb[0]) / range;
  else hue = 4 + (rgb[0] - rgb[1]) / range;
  for (int c = 0; c < 3; ++c) {
    // Channel c is at its most while the hue is within one sixth of 2 c, at its least beyond two.
    const float from = hue + 6 * turn - 2 * static_cast<float>(c);
    const float distance = std::fabs(from - 6 * std::round(from / 6));
    rgb[c] = least + range * std::min(std::max(2 - distance, 0.0f), 1.0f);
  }
}

}  // namespace

template <class T> void colourImage(const View<T>& image, const Colour& colour) {
  constexpr float white = kWhite<T>;
  const bool rgb = image.channels == 3 || image.channels == 4;
  const int64_t pixels = image.height * image.width, channels = image.channels, used = rgb ? 3 : channels;
  float mean = 0;
  if (colour.contrast != 1) {
    double sum = 0;
    for (int64_t i = 0; i < pixels; ++i) {
      const T* const pixel = image.data + i * channels;
      float grey = 0, lit[3];
      if (rgb) {
        for (int c = 0; c < 3; ++c) lit[c] = limit(static_cast<float>(pixel[c]) * colour.brightness, white);
        grey = luma(lit);
      } else {
        for (int64_t c = 0; c < used; ++c) grey += limit(static_cast<float>(pixel[c]) * colour.brightness, white);
        grey /= static_cast<float>(used);
      }
      sum += static_cast<double>(grey);
    }
    mean = static_cast<float>(sum / static_cast<double>(pixels));
  }
  for (int64_t i = 0; i < pixels; ++i) {
    T* const pixel = image.data + i * channels;
    const auto lit = [&](int64_t c) {
      const float bright = limit(static_cast<float>(pixel[c]) * colour.brightness, white);
      return colour.contrast == 1 ? bright : limit(mean + (bright - mean) * colour.contrast, white);
    };
    if (!rgb) {
      for (int64_t c = 0; c < used; ++c) pixel[c] = stored<T>(lit(c));
      continue;
    }
    float values[] = {lit(0), lit(1), lit(2)};
    if (colour.saturation != 1) {
      const float grey = luma(values);
      for (float& value : values) value = limit(grey + (value - grey) * colour.saturation, white);
    }
    if (colour.hue != 0) turnHue(values, colour.hue);
    for (int c = 0; c < 3; ++c) pixel[c] = stored<T>(values[c]);
  }
}

template void colourImage(const View<uint8_t>&, const Colour&);
template void colourImage(const View<float>&, const Colour&);

}  // namespace anneal::images
