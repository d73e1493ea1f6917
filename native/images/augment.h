// Random changes of a batch of images, u8 or f32, NHWC: flips, moves with a border, rotation and scaling, colour, cut-out; and
// the mixing of a batch's images with each other.
//
// What is random about image i of a batch follows from the stage's key, the epoch and position + i, its place in the epoch: a
// stage draws the words of Philox blocks with counters (block, place mod 2^32, epoch, place div 2^32). So batch sizes, threads
// and where an epoch began change nothing. Word 0 of block 0 decides whether a stage happens (toUnit(word) < probability);
// what words 1 to 3, and those of block 1, decide is told below.
//
// Each stage is applied to what the one before has stored: bytes are rounded to the nearest by the stages that compute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../../kernels/common/philox.h"

namespace anneal::images {

struct Shape {
  uint32_t images, height, width, channels;

  size_t imageItems() const { return size_t{height} * width * channels; }
  size_t items() const { return images * imageItems(); }
};

// An integer or uniform draw from [lo, hi]: lo + (word * (hi - lo + 1) div 2^32), or lo + toUnit(word) * (hi - lo).
enum class Kind : uint32_t {
  flip,    // axis: 0 left and right, 1 top and bottom
  move,    // output (y, x) is input (y + dy, x + dx): word 1 draws dy from [loY, hiY], word 2 dx from [loX, hiX]
  affine,  // about the middle, bilinear: word 1 draws degrees from [-degrees, degrees], against the clock; word 2 the scale
  // Word 1 draws the factor of brightness from [max(0, 1 - b), 1 + b], 2 of contrast, 3 of saturation alike; word 0 of block 1
  // the turn of the hue from [-hue, hue]. In this order: x f; grey + (x - grey) f with the mean grey of the image; the same with
  // the pixel's own grey; hue in HSV. Each limited to [0, 255], or [0, 1] for f32. A fourth channel is left alone.
  colour,
  cutout,  // a square of `size`, about the pixel that words 1 (row) and 2 (column) draw, cut at the edges, is filled
};

enum class Border : uint32_t { fill, reflect, edge };

struct Stage {
  Kind kind;
  philox::Key key;
  double probability;
  float fill;
  Border border;
  uint32_t axis;                       // flip
  int64_t loY, hiY, loX, hiX;          // move
  double degrees, scaleLo, scaleHi;    // affine
  double factors[4];                   // colour: brightness, contrast, saturation, hue
  uint32_t size;                       // cutout
  uint32_t inHeight, inWidth, height, width;
};

// A list of stages for batches of one form; whatever numbers it is made of, run() touches nothing but the images.
class Augmentation {
 public:
  // Numbers of a stage as they come from outside: kind, two words of key, probability, fill, border, then six parameters:
  // flip axis; move loY, hiY, loX, hiX, height, width; affine degrees, scaleLo, scaleHi; colour as in Stage; cutout size.
  static constexpr size_t kNumbers = 12;

  // Raises E_ARGUMENT, E_RANGE or E_SHAPE for what makes no sense.
  Augmentation(const Shape& shape, bool bytes, const double* numbers, size_t count);

  const Shape& input() const { return input_; }
  const Shape& output() const { return output_; }

  // Images [first, last) of a batch whose image 0 is at `position` of the epoch. Changes the input.
  void run(void* in, void* out, uint32_t first, uint32_t last, uint32_t epoch, uint64_t position) const;

 private:
  template <class T> void runAs(T* in, T* out, uint32_t first, uint32_t last, uint32_t epoch, uint64_t position) const;

  Shape input_, output_;
  bool bytes_;
  std::vector<Stage> stages_;
  size_t largest_;  // items of an image between two stages
};

// out = weight x + (1 - weight) x of the partner, within the box; outside of it x. The box is [top, bottom) x [left, right).
struct Mix {
  float weight;
  uint32_t top, left, bottom, right;
};

// Raises E_RANGE unless the box lies within the images and the partners within the batch.
void checkMix(const Shape& shape, const Mix& mix, const uint32_t* partners);
void mixImages(const Shape& shape, bool bytes, const Mix& mix, const uint32_t* partners, const void* in, void* out,
               uint32_t first, uint32_t last);

}  // namespace anneal::images
