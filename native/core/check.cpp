#include "check.h"

#include <cstdarg>
#include <cstdio>
#include <string>

#include "half.h"
#include "status.h"

namespace anneal::check {
namespace {

constexpr int64_t kLargest = int64_t{1} << 62;

void operand(const BufferRef& ref, bool half, const char* name, int64_t elements, DType dtype) {
  if (half && dtype != DType::f32) raise(Code::dtype, "expected only f32 to be stored as f16, received operand %s", name);
  const size_t itemBytes = half ? kHalfBytes : check::itemBytes(dtype);
  if (ref.data == nullptr) raise(Code::argument, "expected operand %s, received none", name);
  if (reinterpret_cast<uintptr_t>(ref.data) % itemBytes != 0)
    raise(Code::argument, "expected operand %s to start at a multiple of %zu bytes", name, itemBytes);
  if (elements < 0) raise(Code::shape, "expected operand %s to have a size, received %lld elements", name,
                          static_cast<long long>(elements));
  if (static_cast<uint64_t>(elements) > ref.bytes / itemBytes)
    raise(Code::shape, "expected %s to hold %lld elements, received %zu", name, static_cast<long long>(elements),
          ref.bytes / itemBytes);
}

bool present(const BufferRef* refs, uint32_t count, uint32_t i) { return i < count && refs[i].data != nullptr; }

[[noreturn]] void missing(const char* name) { raise(Code::argument, "expected operand %s, received none", name); }

}  // namespace

int64_t product(const char* what, const int64_t* dims, int count) {
  int64_t total = 1;
  bool empty = false;
  for (int i = 0; i < count; ++i) {
    if (dims[i] < 0) raise(Code::shape, "expected sizes of %s of at least 0, received %lld", what,
                           static_cast<long long>(dims[i]));
    if (dims[i] == 0) empty = true;
  }
  if (empty) return 0;
  for (int i = 0; i < count; ++i)
    if (__builtin_mul_overflow(total, dims[i], &total) || total > kLargest)
      raise(Code::shape, "expected %s to have fewer than 2^62 elements", what);
  return total;
}

int64_t product(const char* what, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e) {
  const int64_t dims[] = {a, b, c, d, e};
  return product(what, dims, 5);
}

void input(const OpCall& call, uint32_t i, const char* name, int64_t elements, DType dtype) {
  if (!present(call.in, call.nIn, i)) missing(name);
  operand(call.in[i], call.isHalf(i), name, elements, dtype);
}

void output(const OpCall& call, uint32_t i, const char* name, int64_t elements, DType dtype) {
  if (!present(call.out, call.nOut, i)) missing(name);
  operand(call.out[i], call.isHalf(call.nIn + i), name, elements, dtype);
}

bool optionalInput(const OpCall& call, uint32_t i, const char* name, int64_t elements, DType dtype) {
  if (!present(call.in, call.nIn, i)) return false;
  operand(call.in[i], call.isHalf(i), name, elements, dtype);
  return true;
}

bool optionalOutput(const OpCall& call, uint32_t i, const char* name, int64_t elements, DType dtype) {
  if (!present(call.out, call.nOut, i)) return false;
  operand(call.out[i], call.isHalf(call.nIn + i), name, elements, dtype);
  return true;
}

void range(const char* field, int64_t value, int64_t lo, int64_t hi) {
  if (value < lo || value > hi)
    raise(Code::range, "expected %s in [%lld, %lld], received %lld", field, static_cast<long long>(lo),
          static_cast<long long>(hi), static_cast<long long>(value));
}

void condition(bool ok, Code code, const char* format, ...) {
  if (ok) return;
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw OpError(code, text);
}

void distinct(const OpCall& call, uint32_t out, uint32_t in) {
  if (!present(call.out, call.nOut, out) || !present(call.in, call.nIn, in)) return;
  const auto a = reinterpret_cast<uintptr_t>(call.out[out].data);
  const auto b = reinterpret_cast<uintptr_t>(call.in[in].data);
  if (a < b + call.in[in].bytes && b < a + call.out[out].bytes)
    raise(Code::argument, "expected output %u not to overlap input %u", out, in);
}

size_t itemBytes(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32: return 4;
    case DType::u8: return 1;
  }
  raise(Code::dtype, "expected a dtype of f32, i32 or u8, received %u", static_cast<unsigned>(dtype));
}

namespace {

bool overlap(const BufferRef& a, const BufferRef& b) {
  const auto x = reinterpret_cast<uintptr_t>(a.data), y = reinterpret_cast<uintptr_t>(b.data);
  return x < y + b.bytes && y < x + a.bytes;
}

// Whoever works in place finds each item where it was: an output shares no memory with what is stored otherwise.
void stored(const OpCall& call) {
  const uint32_t count = call.nIn + call.nOut;
  if ((call.half >> count) != 0)
    raise(Code::argument, "expected f16 among %u operands, received the mask %#x", count, call.half);
  const auto ref = [&](uint32_t i) -> const BufferRef& { return i < call.nIn ? call.in[i] : call.out[i - call.nIn]; };
  for (uint32_t out = call.nIn; out < count; ++out)
    for (uint32_t other = 0; other < count; ++other)
      if (call.isHalf(out) != call.isHalf(other) && ref(out).data != nullptr && ref(other).data != nullptr &&
          overlap(ref(out), ref(other)))
        raise(Code::argument, "expected output %u not to overlap what is not stored as it is, operand %u", out - call.nIn,
              other);
}

}  // namespace

void call(const OpDef& def, const OpCall& call) {
  if (call.half != 0) stored(call);
  def.check(call);
}

}  // namespace anneal::check
