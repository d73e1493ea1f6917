// Contracts of unary, binary, where, cast and fill.
#include "elementwise.h"

#include "../../native/core/check.h"

namespace anneal {

void unary_reference(const OpCall&);
void binary_reference(const OpCall&);
void where_reference(const OpCall&);
void cast_reference(const OpCall&);
void fill_reference(const OpCall&);

namespace {

void checkDtype(uint32_t dtype, bool bytes) {
  check::condition(dtype <= (bytes ? 2u : 1u), Code::dtype, "expected a dtype of %s, received %u",
                   bytes ? "f32, i32 or u8" : "f32 or i32", dtype);
}

// The output may be the input itself, item for item; any other overlap is an error.
void checkOverlap(const OpCall& call, uint32_t in, bool itemForItem) {
  if (in >= call.nIn || call.in[in].data == nullptr) return;
  if (itemForItem && call.in[in].data == call.out[0].data) return;
  check::distinct(call, 0, in);
}

bool integerCode(UnaryCode code) {
  switch (code) {
    case UnaryCode::neg:
    case UnaryCode::abs:
    case UnaryCode::sign:
    case UnaryCode::square:
    case UnaryCode::relu:
    case UnaryCode::clip:
    case UnaryCode::logical_not:
    case UnaryCode::affine: return true;
    default: return false;
  }
}

void checkUnary(const OpCall& call) {
  const auto& p = call.as<UnaryParams>();
  check::range("code", p.code, 0, static_cast<int64_t>(UnaryCode::count) - 1);
  checkDtype(p.dtype, false);
  check::condition(p.dtype == 0 || integerCode(static_cast<UnaryCode>(p.code)), Code::dtype,
                   "expected dtype f32 for code %u, received i32", p.code);
  const auto dtype = static_cast<DType>(p.dtype);
  check::input(call, 0, "x", p.count, dtype);
  check::output(call, 0, "out", p.count, givesTruth(static_cast<UnaryCode>(p.code)) ? DType::i32 : dtype);
  checkOverlap(call, 0, true);
}

// Items spanned by a strided view from its start.
int64_t extent(const char* name, const uint32_t* dims, const uint32_t* strides, uint32_t rank) {
  int64_t items = 1;
  for (uint32_t d = 0; d < rank; ++d) {
    if (dims[d] == 0) return 0;
    const int64_t step = check::product(name, static_cast<int64_t>(dims[d]) - 1, strides[d]);
    check::condition(step < (int64_t{1} << 56), Code::shape, "expected %s to span fewer than 2^56 items", name);
    items += step;
  }
  return items;
}

bool dense(const uint32_t* dims, const uint32_t* strides, uint32_t rank) {
  uint64_t expected = 1;
  for (uint32_t d = rank; d-- > 0;) {
    if (dims[d] != 1 && strides[d] != expected) return false;
    expected *= dims[d];
  }
  return true;
}

int64_t elements(const uint32_t* dims, uint32_t rank) {
  int64_t wide[kElementwiseRank];
  for (uint32_t d = 0; d < rank; ++d) wide[d] = dims[d];
  return check::product("dims", wide, static_cast<int>(rank));
}

bool broadcastInput(const OpCall& call, uint32_t i, const char* name, const uint32_t* dims, const uint32_t* strides,
                    uint32_t rank, DType dtype) {
  const bool there = check::optionalInput(call, i, name, extent(name, dims, strides, rank), dtype);
  checkOverlap(call, i, dense(dims, strides, rank));
  return there;
}

void checkBinary(const OpCall& call) {
  const auto& p = call.as<BinaryParams>();
  check::range("code", p.code, 0, static_cast<int64_t>(BinaryCode::count) - 1);
  checkDtype(p.dtype, false);
  check::condition(p.dtype == 0 || p.code <= static_cast<uint32_t>(BinaryCode::logical_xor), Code::dtype,
                   "expected dtype f32 for code %u, received i32", p.code);
  check::range("rank", p.rank, 0, kElementwiseRank);
  const auto dtype = static_cast<DType>(p.dtype);
  check::output(call, 0, "out", elements(p.dims, p.rank), givesTruth(static_cast<BinaryCode>(p.code)) ? DType::i32 : dtype);
  const bool a = broadcastInput(call, 0, "a", p.dims, p.strideA, p.rank, dtype);
  const bool b = broadcastInput(call, 1, "b", p.dims, p.strideB, p.rank, dtype);
  check::condition(a || b, Code::argument, "expected a or b to be a buffer, received two scalars");
}

void checkWhere(const OpCall& call) {
  const auto& p = call.as<WhereParams>();
  checkDtype(p.dtype, false);
  check::range("rank", p.rank, 0, kElementwiseRank);
  const auto dtype = static_cast<DType>(p.dtype);
  check::output(call, 0, "out", elements(p.dims, p.rank), dtype);
  const bool condition = broadcastInput(call, 0, "cond", p.dims, p.strideCondition, p.rank, DType::i32);
  check::condition(condition, Code::argument, "expected operand cond, received none");
  broadcastInput(call, 1, "a", p.dims, p.strideA, p.rank, dtype);
  broadcastInput(call, 2, "b", p.dims, p.strideB, p.rank, dtype);
}

void checkCast(const OpCall& call) {
  const auto& p = call.as<CastParams>();
  checkDtype(p.from, true);
  checkDtype(p.to, true);
  const auto from = static_cast<DType>(p.from), to = static_cast<DType>(p.to);
  check::input(call, 0, "x", p.count, from);
  check::output(call, 0, "out", p.count, to);
  checkOverlap(call, 0, check::itemBytes(from) == check::itemBytes(to));
}

void checkFill(const OpCall& call) {
  const auto& p = call.as<FillParams>();
  checkDtype(p.dtype, true);
  check::output(call, 0, "out", p.count, static_cast<DType>(p.dtype));
}

const Field kUnaryFields[] = {
    ANNEAL_FIELD(UnaryParams, code, u32, 1),     ANNEAL_FIELD(UnaryParams, dtype, u32, 1),
    ANNEAL_FIELD(UnaryParams, count, u32, 1),    ANNEAL_FIELD(UnaryParams, alpha, f32, 1),
    ANNEAL_FIELD(UnaryParams, beta, f32, 1),     ANNEAL_FIELD(UnaryParams, intAlpha, i32, 1),
    ANNEAL_FIELD(UnaryParams, intBeta, i32, 1),
};
const Field kBinaryFields[] = {
    ANNEAL_FIELD(BinaryParams, code, u32, 1),
    ANNEAL_FIELD(BinaryParams, dtype, u32, 1),
    ANNEAL_FIELD(BinaryParams, rank, u32, 1),
    ANNEAL_FIELD(BinaryParams, dims, u32, kElementwiseRank),
    ANNEAL_FIELD(BinaryParams, strideA, u32, kElementwiseRank),
    ANNEAL_FIELD(BinaryParams, strideB, u32, kElementwiseRank),
    ANNEAL_FIELD(BinaryParams, scalar, f32, 1),
    ANNEAL_FIELD(BinaryParams, intScalar, i32, 1),
    ANNEAL_FIELD(BinaryParams, alpha, f32, 1),
    ANNEAL_FIELD(BinaryParams, beta, f32, 1),
};
const Field kWhereFields[] = {
    ANNEAL_FIELD(WhereParams, dtype, u32, 1),
    ANNEAL_FIELD(WhereParams, rank, u32, 1),
    ANNEAL_FIELD(WhereParams, dims, u32, kElementwiseRank),
    ANNEAL_FIELD(WhereParams, strideCondition, u32, kElementwiseRank),
    ANNEAL_FIELD(WhereParams, strideA, u32, kElementwiseRank),
    ANNEAL_FIELD(WhereParams, strideB, u32, kElementwiseRank),
    ANNEAL_FIELD(WhereParams, scalarA, f32, 1),
    ANNEAL_FIELD(WhereParams, scalarB, f32, 1),
    ANNEAL_FIELD(WhereParams, intScalarA, i32, 1),
    ANNEAL_FIELD(WhereParams, intScalarB, i32, 1),
};
const Field kCastFields[] = {
    ANNEAL_FIELD(CastParams, from, u32, 1),  ANNEAL_FIELD(CastParams, to, u32, 1),
    ANNEAL_FIELD(CastParams, count, u32, 1), ANNEAL_FIELD(CastParams, scale, f32, 1),
    ANNEAL_FIELD(CastParams, offset, f32, 1),
};
const Field kFillFields[] = {
    ANNEAL_FIELD(FillParams, dtype, u32, 1),
    ANNEAL_FIELD(FillParams, count, u32, 1),
    ANNEAL_FIELD(FillParams, value, f32, 1),
    ANNEAL_FIELD(FillParams, intValue, i32, 1),
};

template <uint32_t N> constexpr uint32_t length(const Field (&)[N]) { return N; }

}  // namespace

bool givesTruth(UnaryCode code) {
  return code == UnaryCode::logical_not || code == UnaryCode::is_nan || code == UnaryCode::is_finite;
}

bool givesTruth(BinaryCode code) { return code >= BinaryCode::equal && code <= BinaryCode::logical_xor; }

OpDef unary_op() {
  return {"unary", sizeof(UnaryParams), kUnaryFields, length(kUnaryFields), 1, 1, 1, 1, checkUnary, unary_reference};
}
OpDef binary_op() {
  return {"binary", sizeof(BinaryParams), kBinaryFields, length(kBinaryFields), 1, 2, 1, 1, checkBinary,
          binary_reference};
}
OpDef where_op() {
  return {"where", sizeof(WhereParams), kWhereFields, length(kWhereFields), 1, 3, 1, 1, checkWhere, where_reference};
}
OpDef cast_op() {
  return {"cast", sizeof(CastParams), kCastFields, length(kCastFields), 1, 1, 1, 1, checkCast, cast_reference};
}
OpDef fill_op() {
  return {"fill", sizeof(FillParams), kFillFields, length(kFillFields), 0, 0, 1, 1, checkFill, fill_reference};
}

}  // namespace anneal
