// Batches of images changed on threads of Node.js's own pool, away from JavaScript's thread and the device's queue.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "../core/status.h"
#include "../images/augment.h"
#include "bindings.h"
#include "context.h"

namespace anneal {
namespace {

constexpr uint32_t kMostPieces = 64;
constexpr uint64_t kMaxInteger = (uint64_t{1} << 53) - 1;

// One call: the batch, copied since JavaScript may take its memory away meanwhile, and what becomes of it. The result's memory
// is that of an ArrayBuffer that nobody else holds until the promise resolves. Lives until its last piece is done.
struct Job {
  using Body = void (*)(const Job&, uint32_t first, uint32_t last);

  Body body;
  std::optional<images::Augmentation> augmentation;
  images::Shape shape;  // of the input
  bool bytes;
  uint32_t epoch = 0;
  uint64_t position = 0;
  images::Mix mix{};
  std::unique_ptr<uint32_t[]> partners;
  std::unique_ptr<std::byte[]> in;
  void* out = nullptr;

  napi_deferred deferred = nullptr;
  napi_ref result = nullptr;
  uint32_t pending = 0;            // pieces; JavaScript's thread only
  std::optional<Failure> failure;  // the first; JavaScript's thread only
};

struct Piece {
  std::shared_ptr<Job> job;
  uint32_t first, last;
  napi_async_work work = nullptr;
  std::optional<Failure> failure;
};

void execute(napi_env, void* data) {
  Piece& piece = *static_cast<Piece*>(data);
  try {
    piece.job->body(*piece.job, piece.first, piece.last);
  } catch (...) {
    piece.failure = currentFailure("augment");
  }
}

void complete(napi_env env, napi_status status, void* data) {
  const std::unique_ptr<Piece> piece(static_cast<Piece*>(data));
  Job& job = *piece->job;
  napi_delete_async_work(env, piece->work);
  if (piece->failure && !job.failure) job.failure = std::move(piece->failure);
  if (status != napi_ok && !job.failure) job.failure = Failure{Code::internal, "augment: the work was cancelled"};
  if (--job.pending > 0) return;
  napi_value value = nullptr;
  napi_get_reference_value(env, job.result, &value);
  napi_delete_reference(env, job.result);
  if (status == napi_cancelled) return;  // the environment is going away
  if (job.failure)
    napi_reject_deferred(env, job.deferred, makeError(env, job.failure->code, job.failure->message).Value());
  else
    napi_resolve_deferred(env, job.deferred, value);
}

// Queues the job in so many pieces, or in fewer where images are; the promise of the result.
Napi::Value start(Napi::Env env, std::shared_ptr<Job> job, Napi::ArrayBuffer result, uint32_t pieces) {
  job->out = result.Data();
  napi_value promise = nullptr, name = Napi::String::New(env, "anneal");
  if (napi_create_reference(env, result, 1, &job->result) != napi_ok ||
      napi_create_promise(env, &job->deferred, &promise) != napi_ok)
    raise(Code::internal, "a promise could not be made");
  const uint32_t images = job->shape.images;
  if (result.ByteLength() == 0) {  // no images, or none of any size: there is no memory to work on
    napi_delete_reference(env, job->result);
    napi_resolve_deferred(env, job->deferred, result);
    return {env, promise};
  }
  pieces = std::min(std::max(pieces, 1u), images);
  for (uint32_t i = 0; i < pieces; ++i) {
    auto piece = std::make_unique<Piece>();
    piece->job = job;
    piece->first = static_cast<uint32_t>(uint64_t{images} * i / pieces);
    piece->last = static_cast<uint32_t>(uint64_t{images} * (i + 1) / pieces);
    const bool made = napi_create_async_work(env, nullptr, name, execute, complete, piece.get(), &piece->work) == napi_ok;
    if (!made || napi_queue_async_work(env, piece->work) != napi_ok) {
      if (made) napi_delete_async_work(env, piece->work);
      if (job->pending == 0) raise(Code::internal, "work could not be queued");
      // Pieces that are queued hold the job, and settle the promise.
      job->failure = Failure{Code::internal, "augment: work could not be queued"};
      break;
    }
    ++job->pending;
    piece.release();
  }
  return {env, promise};
}

struct Doubles {
  const double* data;
  size_t count;
};

Doubles doublesArgument(const Napi::CallbackInfo& info, size_t i, const char* name) {
  const Bytes bytes = typedArgument(info, i, name, napi_float64_array, "Float64Array");
  return {reinterpret_cast<const double*>(bytes.data), bytes.size / sizeof(double)};
}

// Argument 0, a batch in a Uint8Array or Float32Array, of the shape in argument 1: four numbers in a Float64Array.
void takeBatch(const Napi::CallbackInfo& info, Job& job) {
  const Bytes data = bytesArgument(info, 0, "images");
  napi_typedarray_type type = napi_int8_array;
  napi_get_typedarray_info(info.Env(), info[0], &type, nullptr, nullptr, nullptr, nullptr);
  if (type != napi_uint8_array && type != napi_float32_array)
    raise(Code::argument, "expected images in a Uint8Array or Float32Array");
  job.bytes = type == napi_uint8_array;
  const auto [dims, rank] = doublesArgument(info, 1, "shape");
  if (rank != 4) raise(Code::argument, "expected a shape of 4 numbers, received %zu", rank);
  double items = 1;
  for (size_t axis = 0; axis < rank; ++axis) {
    if (!isInteger(dims[axis], 4294967295.0))
      raise(Code::argument, "expected a shape of whole numbers, received %g", dims[axis]);
    items *= dims[axis];
  }
  job.shape = {static_cast<uint32_t>(dims[0]), static_cast<uint32_t>(dims[1]), static_cast<uint32_t>(dims[2]),
               static_cast<uint32_t>(dims[3])};
  if (items * (job.bytes ? 1 : sizeof(float)) != static_cast<double>(data.size))
    raise(Code::shape, "expected %g items for the shape, received %zu bytes", items, data.size);
  job.in.reset(new std::byte[data.size]);
  if (data.size > 0) std::memcpy(job.in.get(), data.data, data.size);
}

size_t bytesOf(const images::Shape& shape, bool bytes) { return shape.items() * (bytes ? 1 : sizeof(float)); }

}  // namespace

Napi::Value bindAugment(const Napi::CallbackInfo& info) {
  return guarded(info, "augment", [&]() -> Napi::Value {
    auto job = std::make_shared<Job>();
    takeBatch(info, *job);
    const Doubles stages = doublesArgument(info, 2, "stages");
    job->epoch = static_cast<uint32_t>(integerArgument(info, 3, "epoch", 4294967295));
    job->position = integerArgument(info, 4, "position", kMaxInteger);
    const auto pieces = static_cast<uint32_t>(integerArgument(info, 5, "pieces", kMostPieces));
    job->augmentation.emplace(job->shape, job->bytes, stages.data, stages.count);
    job->body = [](const Job& of, uint32_t first, uint32_t last) {
      of.augmentation->run(of.in.get(), of.out, first, last, of.epoch, of.position);
    };
    Napi::ArrayBuffer result =
        newArrayBuffer(Context::of(info), info.Env(), bytesOf(job->augmentation->output(), job->bytes));
    return start(info.Env(), std::move(job), result, pieces);
  });
}

Napi::Value bindMixImages(const Napi::CallbackInfo& info) {
  return guarded(info, "mixImages", [&]() -> Napi::Value {
    auto job = std::make_shared<Job>();
    takeBatch(info, *job);
    const auto [partners, given] = doublesArgument(info, 2, "partners");
    const uint32_t count = job->shape.images;
    if (given != count) raise(Code::argument, "expected a partner for each of %u images, received %zu", count, given);
    job->partners.reset(new uint32_t[count]);
    for (uint32_t i = 0; i < count; ++i) {
      if (!isInteger(partners[i], 4294967295.0))
        raise(Code::range, "expected partners below %u, received %g", count, partners[i]);
      job->partners[i] = static_cast<uint32_t>(partners[i]);
    }
    const auto [mix, sides] = doublesArgument(info, 3, "mix");
    if (sides != 5) raise(Code::argument, "expected a weight and four sides of a box, received %zu numbers", sides);
    for (int i = 1; i < 5; ++i)
      if (!isInteger(mix[i], 4294967295.0)) raise(Code::range, "expected a box of whole numbers, received %g", mix[i]);
    job->mix = {static_cast<float>(mix[0]), static_cast<uint32_t>(mix[1]), static_cast<uint32_t>(mix[2]),
                static_cast<uint32_t>(mix[3]), static_cast<uint32_t>(mix[4])};
    const auto pieces = static_cast<uint32_t>(integerArgument(info, 4, "pieces", kMostPieces));
    images::checkMix(job->shape, job->mix, job->partners.get());
    job->body = [](const Job& of, uint32_t first, uint32_t last) {
      images::mixImages(of.shape, of.bytes, of.mix, of.partners.get(), of.in.get(), of.out, first, last);
    };
    Napi::ArrayBuffer result = newArrayBuffer(Context::of(info), info.Env(), bytesOf(job->shape, job->bytes));
    return start(info.Env(), std::move(job), result, pieces);
  });
}

}  // namespace anneal
