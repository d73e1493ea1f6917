#include "augment.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../core/check.h"
#include "transforms.h"

namespace anneal::images {
namespace {

constexpr int64_t kMostSide = 1 << 16;
constexpr double kMostItems = 4503599627370496.0;  // 2^52

void finite(const char* name, double value, double lo, double hi) {
  if (!(value >= lo && value <= hi))
    raise(Code::range, "expected %s within %g..%g, received %g", name, lo, hi, value);
}

uint32_t whole(const char* name, double value, double hi) {
  finite(name, value, 0, hi);
  if (static_cast<double>(static_cast<uint64_t>(value)) != value)
    raise(Code::range, "expected a whole number for %s, received %g", name, value);
  return static_cast<uint32_t>(value);
}

int64_t offset(const char* name, double value) {
  finite(name, value, -kMostSide, kMostSide);
  if (static_cast<double>(static_cast<int64_t>(value)) != value)
    raise(Code::range, "expected a whole number for %s, received %g", name, value);
  return static_cast<int64_t>(value);
}

// The largest offset beyond an edge that a reflected border of this length has pixels for.
void reflects(const char* name, int64_t lo, int64_t hi, int64_t in, int64_t out) {
  if (lo <= -in || hi + out >= 2 * in)
    raise(Code::shape, "expected %s to reflect less than the image's %lld pixels, received offsets %lld..%lld", name,
          static_cast<long long>(in), static_cast<long long>(lo), static_cast<long long>(hi));
}

void parseMove(Stage& stage, const double* p) {
  stage.loY = offset("the lowest row", p[0]);
  stage.hiY = offset("the highest row", p[1]);
  stage.loX = offset("the lowest column", p[2]);
  stage.hiX = offset("the highest column", p[3]);
  stage.height = whole("height", p[4], kMostSide);
  stage.width = whole("width", p[5], kMostSide);
  if (stage.loY > stage.hiY || stage.loX > stage.hiX) raise(Code::range, "expected offsets in ascending order");
  if (stage.height == 0 || stage.width == 0) raise(Code::shape, "expected a height and width of at least 1");
  if ((stage.height != stage.inHeight || stage.width != stage.inWidth) && stage.probability < 1)
    raise(Code::argument, "expected a change of size to happen always, received a probability of %g", stage.probability);
  if (stage.border == Border::reflect) {
    reflects("rows", stage.loY, stage.hiY, stage.inHeight, stage.height);
    reflects("columns", stage.loX, stage.hiX, stage.inWidth, stage.width);
  }
}

Stage parseStage(const double* numbers, const Shape& in, bool bytes) {
  Stage stage{};
  stage.kind = static_cast<Kind>(whole("kind", numbers[0], static_cast<double>(Kind::cutout)));
  stage.key = {whole("key", numbers[1], 4294967295.0), whole("key", numbers[2], 4294967295.0)};
  finite("probability", numbers[3], 0, 1);
  stage.probability = numbers[3];
  if (bytes) finite("fill", numbers[4], 0, 255);
  else finite("fill", numbers[4], -3e38, 3e38);
  stage.fill = static_cast<float>(numbers[4]);
  stage.border = static_cast<Border>(whole("border", numbers[5], static_cast<double>(Border::edge)));
  stage.inHeight = stage.height = in.height;
  stage.inWidth = stage.width = in.width;
  const double* p = numbers + 6;
  switch (stage.kind) {
    case Kind::flip: stage.axis = whole("axis", p[0], 1); break;
    case Kind::move: parseMove(stage, p); break;
    case Kind::affine:
      finite("degrees", p[0], 0, 360);
      finite("scale", p[1], 0.01, 100);
      finite("scale", p[2], p[1], 100);
      stage.degrees = p[0];
      stage.scaleLo = p[1];
      stage.scaleHi = p[2];
      break;
    case Kind::colour:
      for (int i = 0; i < 3; ++i) finite("a colour's strength", p[i], 0, 100);
      finite("hue", p[3], 0, 0.5);
      std::copy(p, p + 4, stage.factors);
      if ((p[2] > 0 || p[3] > 0) && in.channels != 3 && in.channels != 4)
        raise(Code::shape, "expected images of 3 or 4 channels for saturation and hue, received %u", in.channels);
      break;
    case Kind::cutout: stage.size = whole("size", p[0], kMostSide); break;
  }
  return stage;
}

// The words that decide about one image.
struct Words {
  uint32_t of[8];
};

Words draw(const Stage& stage, uint32_t epoch, uint64_t place) {
  uint32_t words[4][2];
  for (uint32_t block = 0; block < 2; ++block) {
    words[0][block] = block;
    words[1][block] = static_cast<uint32_t>(place);
    words[2][block] = epoch;
    words[3][block] = static_cast<uint32_t>(place >> 32);
  }
  philox::encrypt<2>(stage.key, words);
  Words drawn;
  for (int i = 0; i < 8; ++i) drawn.of[i] = words[i % 4][i / 4];
  return drawn;
}

int64_t within(uint32_t word, int64_t lo, int64_t hi) {
  return lo + static_cast<int64_t>((uint64_t{word} * static_cast<uint64_t>(hi - lo + 1)) >> 32);
}

double between(uint32_t word, double lo, double hi) { return lo + static_cast<double>(philox::toUnit(word)) * (hi - lo); }

// Leaves the image in `from` where it can be changed there, else in `to`; gives where it is.
template <class T> T* apply(const Stage& stage, const Words& words, uint32_t channels, T* from, T* to) {
  const View<T> view{from, stage.inHeight, stage.inWidth, channels};
  switch (stage.kind) {
    case Kind::flip:
      if (stage.axis == 0) flipColumns(view);
      else flipRows(view);
      return from;
    case Kind::move:
      moveImage(view, {to, stage.height, stage.width, channels}, within(words.of[1], stage.loY, stage.hiY),
                within(words.of[2], stage.loX, stage.hiX), stage.border, stored<T>(stage.fill));
      return to;
    case Kind::affine:
      turnImage(view, to, between(words.of[1], -stage.degrees, stage.degrees),
                between(words.of[2], stage.scaleLo, stage.scaleHi), stage.border, stage.fill);
      return to;
    case Kind::colour: {
      Colour colour{};
      const auto factor = [&](int i) {
        return static_cast<float>(between(words.of[i + 1], std::max(0.0, 1 - stage.factors[i]), 1 + stage.factors[i]));
      };
      colour.brightness = factor(0);
      colour.contrast = factor(1);
      colour.saturation = factor(2);
      colour.hue = static_cast<float>(between(words.of[4], -stage.factors[3], stage.factors[3]));
      colourImage(view, colour);
      return from;
    }
    case Kind::cutout:
      cutOut(view, within(words.of[1], 0, int64_t{stage.inHeight} - 1), within(words.of[2], 0, int64_t{stage.inWidth} - 1),
             stage.size, stored<T>(stage.fill));
      return from;
  }
  return from;
}

}  // namespace

Augmentation::Augmentation(const Shape& shape, bool bytes, const double* numbers, size_t count)
    : input_(shape), output_(shape), bytes_(bytes) {
  const int64_t sides[] = {shape.height, shape.width, shape.channels};
  for (const int64_t side : sides) check::range("a side", side, 1, kMostSide);
  if (static_cast<double>(shape.imageItems()) * std::max(1u, shape.images) > kMostItems)
    raise(Code::shape, "expected fewer than 2^52 items");
  if (count % kNumbers != 0) raise(Code::argument, "expected %zu numbers for each stage, received %zu", kNumbers, count);
  largest_ = shape.imageItems();
  for (size_t i = 0; i < count; i += kNumbers) {
    stages_.push_back(parseStage(numbers + i, output_, bytes));
    output_.height = stages_.back().height;
    output_.width = stages_.back().width;
    largest_ = std::max(largest_, output_.imageItems());
  }
}

void Augmentation::run(void* in, void* out, uint32_t first, uint32_t last, uint32_t epoch, uint64_t position) const {
  if (bytes_) runAs(static_cast<uint8_t*>(in), static_cast<uint8_t*>(out), first, last, epoch, position);
  else runAs(static_cast<float*>(in), static_cast<float*>(out), first, last, epoch, position);
}

template <class T>
void Augmentation::runAs(T* in, T* out, uint32_t first, uint32_t last, uint32_t epoch, uint64_t position) const {
  std::vector<T> scratch(2 * largest_);
  T* const halves[] = {scratch.data(), scratch.data() + largest_};
  for (uint32_t image = first; image < last; ++image) {
    T* at = in + image * input_.imageItems();
    for (const Stage& stage : stages_) {
      const Words words = draw(stage, epoch, position + image);
      if (!(static_cast<double>(philox::toUnit(words.of[0])) < stage.probability)) continue;
      at = apply(stage, words, input_.channels, at, at == halves[0] ? halves[1] : halves[0]);
    }
    std::memcpy(out + image * output_.imageItems(), at, output_.imageItems() * sizeof(T));
  }
}

void checkMix(const Shape& shape, const Mix& mix, const uint32_t* partners) {
  if (!(mix.weight >= 0 && mix.weight <= 1)) raise(Code::range, "expected a weight within 0..1, received %g", mix.weight);
  if (mix.top > mix.bottom || mix.bottom > shape.height || mix.left > mix.right || mix.right > shape.width)
    raise(Code::range, "expected a box within %u x %u, received rows %u..%u, columns %u..%u", shape.height, shape.width,
          mix.top, mix.bottom, mix.left, mix.right);
  for (uint32_t i = 0; i < shape.images; ++i)
    if (partners[i] >= shape.images) raise(Code::range, "expected partners below %u, received %u", shape.images, partners[i]);
}

namespace {

template <class T>
void mixAs(const Shape& shape, const Mix& mix, const uint32_t* partners, const T* in, T* out, uint32_t first,
           uint32_t last) {
  const size_t items = shape.imageItems(), row = size_t{shape.width} * shape.channels;
  const size_t left = size_t{mix.left} * shape.channels, right = size_t{mix.right} * shape.channels;
  for (uint32_t image = first; image < last; ++image) {
    const T* own = in + image * items;
    const T* other = in + partners[image] * items;
    T* to = out + image * items;
    std::memcpy(to, own, items * sizeof(T));
    for (size_t y = mix.top; y < mix.bottom; ++y)
      for (size_t i = y * row + left; i < y * row + right; ++i)
        to[i] = stored<T>(mix.weight * static_cast<float>(own[i]) + (1 - mix.weight) * static_cast<float>(other[i]));
  }
}

}  // namespace

void mixImages(const Shape& shape, bool bytes, const Mix& mix, const uint32_t* partners, const void* in, void* out,
               uint32_t first, uint32_t last) {
  if (bytes) mixAs(shape, mix, partners, static_cast<const uint8_t*>(in), static_cast<uint8_t*>(out), first, last);
  else mixAs(shape, mix, partners, static_cast<const float*>(in), static_cast<float*>(out), first, last);
}

}  // namespace anneal::images
