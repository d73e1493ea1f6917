#include <cstring>

#include "../core/check.h"
#include "../core/no_exec.h"
#include "bindings.h"
#include "context.h"

namespace anneal {
namespace {

// What a call's operands are parts of; null where one is absent.
struct Owners {
  BufferPool::Buffer* of[kMaxOperands];
};

// Fills `record` with a call and checks it. `params` and `operands` hold what `def` and the counts say.
void fillRecord(Context& context, uint32_t id, const void* params, const Operand* operands, uint32_t nIn, uint32_t nOut,
                uint32_t half, OpRecord& record, Owners& owners) {
  const OpDef& def = opDef(id);
  checkOperandCounts(def, nIn, nOut);
  record.kernel = kernel(context.isa(), id);
  record.isa = context.isa();
  record.op = id;
  record.half = half;
  record.paramBytes = def.paramBytes;
  record.nIn = nIn;
  record.nOut = nOut;
  if (def.paramBytes > 0) std::memcpy(record.params(), params, def.paramBytes);
  BufferRef* const refs = record.operands();
  for (uint32_t i = 0; i < nIn + nOut; ++i) refs[i] = context.resolve(operands[i], i, owners.of[i]);
  NoExec none;
  check::call(def, record.call(none));
}

// As fillRecord(), from the first five arguments.
void fillFromArguments(const Napi::CallbackInfo& info, Context& context, uint32_t id, uint32_t half, OpRecord& record,
                       Owners& owners) {
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
  if (operandBytes.size < (nIn + nOut) * sizeof(Operand))
    raise(Code::argument, "expected %u operands, received %zu", nIn + nOut, operandBytes.size / sizeof(Operand));
  Operand operands[2 * kMaxOperands];
  if (nIn + nOut > 0) std::memcpy(operands, operandBytes.data, (nIn + nOut) * sizeof(Operand));
  fillRecord(context, id, params.data, operands, nIn, nOut, half, record, owners);
}

void markUsed(const OpRecord& record, const Owners& owners, uint64_t sequence) {
  for (uint32_t i = 0; i < record.nIn + record.nOut; ++i)
    if (owners.of[i] != nullptr) owners.of[i]->block.lastUse = sequence;
}

// body(context, id) with errors in the name of the op that the first argument says.
template <class Body> Napi::Value guardedOp(const Napi::CallbackInfo& info, const char* name, const Body& body) {
  try {
    const auto id = static_cast<uint32_t>(integerArgument(info, 0, "op", kOpCount - 1));
    name = opDef(id).name;
    return body(Context::of(info), id);
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
    DeviceQueue& queue = context.queue();
    OpRecord& record = queue.nextOp();
    Owners owners;
    const bool given = !info[5].IsUndefined();
    const auto half = given ? static_cast<uint32_t>(integerArgument(info, 5, "half", UINT32_MAX)) : 0;
    fillFromArguments(info, context, id, half, record, owners);
    markUsed(record, owners, queue.publishOp());
    return info.Env().Undefined();
  });
}

Napi::Value bindCallBlock(const Napi::CallbackInfo& info) {
  return guarded(info, "callBlock", [&]() -> Napi::Value { return Context::of(info).callBlockArray(info.Env()); });
}

namespace {

// body(context, block, name) on the call block, with errors in the name of its op, which body sets once it knows it.
template <class Body> napi_value onCallBlock(napi_env env, napi_callback_info info, const char* name, const Body& body) {
  void* data = nullptr;
  if (napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data) != napi_ok || data == nullptr) return nullptr;
  Context& context = *static_cast<Context*>(data);
  const CallBlock& block = context.callBlock();
  try {
    const uint32_t id = block.op, nIn = block.nIn, nOut = block.nOut;
    if (id >= kOpCount) raise(Code::argument, "expected op to be below %u, received %u", kOpCount, id);
    name = opDef(id).name;
    // Before they are added.
    if (nIn > kMaxOperands || nOut > kMaxOperands)
      raise(Code::argument, "expected at most %u operands, received %u and %u", kMaxOperands, nIn, nOut);
    body(context, block, id, nIn, nOut);
  } catch (const Napi::Error& error) {
    error.ThrowAsJavaScriptException();
  } catch (...) {
    const Failure failure = currentFailure(name);
    try {
      makeError(env, failure.code, failure.message).ThrowAsJavaScriptException();
    } catch (const Napi::Error& error) {
      error.ThrowAsJavaScriptException();
    }
  }
  return nullptr;
}

// Where an operand of another device would lie if its buffers followed each other at such distances: for checks, which compare
// places and read nothing.
BufferRef placeElsewhere(const Operand& operand) {
  constexpr double kDistance = 0x1p36, kMostBuffers = 0x1p26;
  if (operand.handle == 0) return {nullptr, 0};
  if (!(operand.handle >= 1 && operand.handle < kMostBuffers && operand.byteOffset >= 0 && operand.byteLength >= 0 &&
        operand.byteOffset + operand.byteLength < kDistance))
    raise(Code::range, "expected an operand within a buffer, received buffer %g, offset %g, %g bytes", operand.handle,
          operand.byteOffset, operand.byteLength);
  const auto address = static_cast<uintptr_t>(operand.handle * kDistance + operand.byteOffset);
  return {reinterpret_cast<void*>(address), static_cast<size_t>(operand.byteLength)};
}

}  // namespace

napi_value bindSubmit(napi_env env, napi_callback_info info) {
  return onCallBlock(env, info, "submit", [](Context& context, const CallBlock& block, uint32_t id, uint32_t nIn, uint32_t nOut) {
    DeviceQueue& queue = context.queue();
    OpRecord& record = queue.nextOp();
    Owners owners;
    fillRecord(context, id, block.params, block.operands, nIn, nOut, block.half, record, owners);
    markUsed(record, owners, queue.publishOp());
  });
}

napi_value bindCheckCall(napi_env env, napi_callback_info info) {
  return onCallBlock(env, info, "checkCall", [](Context&, const CallBlock& block, uint32_t id, uint32_t nIn, uint32_t nOut) {
    const OpDef& def = opDef(id);
    checkOperandCounts(def, nIn, nOut);
    BufferRef refs[2 * kMaxOperands];
    for (uint32_t i = 0; i < nIn + nOut; ++i) refs[i] = placeElsewhere(block.operands[i]);
    NoExec none;
    check::call(def, {block.params, refs, refs + nIn, nIn, nOut, none, block.half});
  });
}

Napi::Value bindTime(const Napi::CallbackInfo& info) {
  return guardedOp(info, "time", [&](Context& context, uint32_t id) -> Napi::Value {
    TimedRecord timed;
    Owners owners;
    fillFromArguments(info, context, id, 0, timed.op, owners);
    const auto samples = static_cast<uint32_t>(integerArgument(info, 5, "samples", kMaxExecutions));
    const auto inner = static_cast<uint32_t>(integerArgument(info, 6, "inner", kMaxExecutions));
    const bool cold = integerArgument(info, 7, "cold", 1) != 0;
    if (samples == 0 || inner == 0) raise(Code::argument, "expected at least one sample of one execution");
    if (uint64_t{samples} * inner > kMaxExecutions)
      raise(Code::range, "expected at most %llu executions, received %u x %u",
            static_cast<unsigned long long>(kMaxExecutions), samples, inner);
    // Nobody else holds `seconds` until the promise resolves, so the queue thread may write there.
    const Napi::Float64Array seconds = Napi::Float64Array::New(info.Env(), samples);
    timed.timing = {const_cast<double*>(seconds.Data()), samples, inner, cold};
    markUsed(timed.op, owners, context.queue().push(timed));
    return context.settleWhenDone(seconds);
  });
}

Napi::Value bindSync(const Napi::CallbackInfo& info) {
  return guarded(info, "sync", [&]() -> Napi::Value {
    return Context::of(info).settleWhenDone(Napi::Value());
  });
}

Napi::Value bindWait(const Napi::CallbackInfo& info) {
  return guarded(info, "wait", [&]() -> Napi::Value {
    DeviceQueue& queue = Context::of(info).queue();
    queue.wait(queue.submitted());
    if (const auto failure = queue.takeFailure()) throw makeError(info.Env(), failure->code, failure->message);
    return info.Env().Undefined();
  });
}

Napi::Value bindQueued(const Napi::CallbackInfo& info) {
  return guarded(info, "queued", [&]() -> Napi::Value {
    DeviceQueue& queue = Context::of(info).queue();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("records", static_cast<double>(queue.submitted() - queue.completed()));
    result.Set("waits", static_cast<double>(queue.waits()));
    return result;
  });
}

}  // namespace anneal
