#include <cmath>
#include <cstring>

#include "bindings.h"
#include "context.h"

namespace anneal {
namespace {

// A check needs no services; asking for one from there is a mistake in the op.
class NoExec final : public Exec {
 public:
  int threads() const override { return 1; }
  void parallelFor(int64_t, Body, void*) override { raise(Code::internal, "a check may not run tasks"); }
  void* scratch(int, int, size_t) override { raise(Code::internal, "a check may not ask for scratch"); }
};

struct Operand {
  double handle, byteOffset, byteLength;
};

bool isIndex(double value) { return value >= 0 && value <= 9007199254740991.0 && std::floor(value) == value; }

BufferRef resolve(Context& context, const Operand& operand, uint32_t i) {
  if (operand.handle == 0) return {nullptr, 0};
  if (!isIndex(operand.handle) || !isIndex(operand.byteOffset) || !isIndex(operand.byteLength))
    raise(Code::argument, "expected operand %u to be three integers (handle, byteOffset, byteLength)", i);
  const BufferPool::Buffer& buffer = context.buffers().get(static_cast<BufferPool::Handle>(operand.handle));
  const auto offset = static_cast<uint64_t>(operand.byteOffset);
  const auto bytes = static_cast<uint64_t>(operand.byteLength);
  if (offset > buffer.bytes || bytes > buffer.bytes - offset)
    raise(Code::range, "expected operand %u within its buffer of %zu bytes, received %llu bytes at %llu", i,
          buffer.bytes, static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(offset));
  return {buffer.block.data + offset, static_cast<size_t>(bytes)};
}

constexpr uint64_t kMaxRepeats = uint64_t{1} << 24;

// The call behind the first five arguments, checked; `operands` are for markUsed().
OpRecord opArguments(const Napi::CallbackInfo& info, Context& context, uint32_t id, Operand (&operands)[kMaxOperands]) {
  const OpDef& def = opDef(id);
  const Bytes params = bytesArgument(info, 1, "params");
  if (params.size != def.paramBytes)
    raise(Code::argument, "expected %u bytes of params, received %zu", def.paramBytes, params.size);
  const Napi::Value list = info[2];
  if (!list.IsTypedArray() || list.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
    raise(Code::argument, "expected operands to be a Float64Array");
  const Bytes operandBytes = bytesArgument(info, 2, "operands");
  const auto nIn = static_cast<uint32_t>(integerArgument(info, 3, "nIn", kMaxOperands));
  const auto nOut = static_cast<uint32_t>(integerArgument(info, 4, "nOut", kMaxOperands));
  if (nIn < def.minIn || nIn > def.maxIn || nOut < def.minOut || nOut > def.maxOut || nIn + nOut > kMaxOperands)
    raise(Code::argument, "expected %u to %u inputs and %u to %u outputs, received %u and %u", def.minIn, def.maxIn,
          def.minOut, def.maxOut, nIn, nOut);
  if (operandBytes.size < (nIn + nOut) * sizeof(Operand))
    raise(Code::argument, "expected %u operands, received %zu", nIn + nOut, operandBytes.size / sizeof(Operand));

  OpRecord record;
  record.op = id;
  record.nIn = nIn;
  record.nOut = nOut;
  record.kernel = kernel(context.isa(), id);
  if (params.size > 0) std::memcpy(record.params, params.data, params.size);
  if (nIn + nOut > 0) std::memcpy(operands, operandBytes.data, (nIn + nOut) * sizeof(Operand));
  for (uint32_t i = 0; i < nIn + nOut; ++i) record.operands[i] = resolve(context, operands[i], i);

  NoExec none;
  def.check({record.params, record.operands, record.operands + nIn, nIn, nOut, none});
  return record;
}

void markUsed(Context& context, const OpRecord& record, const Operand* operands, uint64_t sequence) {
  for (uint32_t i = 0; i < record.nIn + record.nOut; ++i)
    if (record.operands[i].data != nullptr)
      context.buffers().get(static_cast<BufferPool::Handle>(operands[i].handle)).block.lastUse = sequence;
}

// body(context, id) with errors in the name of the op that the first argument says.
template <class Body> Napi::Value guardedOp(const Napi::CallbackInfo& info, const char* name, const Body& body) {
  try {
    const auto id = static_cast<uint32_t>(integerArgument(info, 0, "op", kOpCount - 1));
    name = opDef(id).name;
    return body(Context::of(info.Env()), id);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    const Failure failure = currentFailure(name);
    throw makeError(info.Env(), failure.code, failure.message);
  }
}

}  // namespace

Napi::Value bindRun(const Napi::CallbackInfo& info) {
  return guardedOp(info, "run", [&](Context& context, uint32_t id) -> Napi::Value {
    Operand operands[kMaxOperands];
    const OpRecord record = opArguments(info, context, id, operands);
    markUsed(context, record, operands, context.queue().push(record));
    return info.Env().Undefined();
  });
}

Napi::Value bindTime(const Napi::CallbackInfo& info) {
  return guardedOp(info, "time", [&](Context& context, uint32_t id) -> Napi::Value {
    Operand operands[kMaxOperands];
    const OpRecord record = opArguments(info, context, id, operands);
    const auto samples = static_cast<uint32_t>(integerArgument(info, 5, "samples", kMaxRepeats));
    const auto inner = static_cast<uint32_t>(integerArgument(info, 6, "inner", kMaxRepeats));
    const bool cold = integerArgument(info, 7, "cold", 1) != 0;
    if (samples == 0 || inner == 0) raise(Code::argument, "expected at least one sample of one execution");
    // Nobody else holds `seconds` until the promise resolves, so the queue thread may write there.
    const Napi::Float64Array seconds = Napi::Float64Array::New(info.Env(), samples);
    markUsed(context, record, operands,
             context.queue().push(TimedRecord{record, {const_cast<double*>(seconds.Data()), samples, inner, cold}}));
    return context.settleWhenDone(info.Env(), seconds);
  });
}

Napi::Value bindSync(const Napi::CallbackInfo& info) {
  return guarded(info, "sync", [&]() -> Napi::Value {
    return Context::of(info.Env()).settleWhenDone(info.Env(), Napi::Value());
  });
}

Napi::Value bindWait(const Napi::CallbackInfo& info) {
  return guarded(info, "wait", [&]() -> Napi::Value {
    Queue& queue = Context::of(info.Env()).queue();
    queue.wait(queue.submitted());
    if (const auto failure = queue.takeFailure()) throw makeError(info.Env(), failure->code, failure->message);
    return info.Env().Undefined();
  });
}

}  // namespace anneal
