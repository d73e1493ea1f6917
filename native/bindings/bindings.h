// What the addon exports: unwrap, validate, call, wrap; no arithmetic.
#pragma once

#include <napi.h>

namespace anneal {

class Context;

// device_exports.cpp: the functions that every device has, on `object`; each is called on `context`.
void exportDevice(Napi::Env env, Napi::Object object, Context& context);

// cuda.cpp
Napi::Value bindCudaDevices(const Napi::CallbackInfo& info);  // () -> { devices: number, reason: string, emulated, toolkit }
Napi::Value bindOpenCuda(const Napi::CallbackInfo& info);     // (ordinal) -> an object with the functions of a device

// buffers.cpp
Napi::Value bindAlloc(const Napi::CallbackInfo& info);     // (bytes) -> handle
Napi::Value bindFree(const Napi::CallbackInfo& info);      // (handle)
Napi::Value bindWrite(const Napi::CallbackInfo& info);     // (handle, byteOffset, typedArray)
Napi::Value bindRead(const Napi::CallbackInfo& info);      // (handle, byteOffset, byteLength) -> Promise<ArrayBuffer>
Napi::Value bindReadSync(const Napi::CallbackInfo& info);  // (handle, byteOffset, byteLength) -> ArrayBuffer
Napi::Value bindMemory(const Napi::CallbackInfo& info);    // () -> { liveBytes, pooledBytes, peakBytes, liveBuffers }
Napi::Value bindTrim(const Napi::CallbackInfo& info);      // () -> bytes

// run.cpp
Napi::Value bindRun(const Napi::CallbackInfo& info);       // (op, params, operands, nIn, nOut)
Napi::Value bindCallBlock(const Napi::CallbackInfo& info);  // () -> ArrayBuffer, the CallBlock of context.h
napi_value bindSubmit(napi_env env, napi_callback_info info);     // () runs what the call block says
// () checks what the call block says as bindSubmit would; handles are any numbers in [1, 2^26) that tell buffers apart
napi_value bindCheckCall(napi_env env, napi_callback_info info);
Napi::Value bindTime(const Napi::CallbackInfo& info);      // (..., samples, inner, cold) -> Promise<Float64Array>
Napi::Value bindSync(const Napi::CallbackInfo& info);      // () -> Promise<void>
Napi::Value bindWait(const Napi::CallbackInfo& info);      // () blocks
Napi::Value bindQueued(const Napi::CallbackInfo& info);    // () -> { records, waits }

// plan.cpp
Napi::Value bindPlanCreate(const Napi::CallbackInfo& info);  // (slots, ops, operands) -> id
Napi::Value bindPlanRun(const Napi::CallbackInfo& info);     // (id, bindings, params)
Napi::Value bindPlanFree(const Napi::CallbackInfo& info);    // (id)

// profile.cpp
Napi::Value bindSubmitted(const Napi::CallbackInfo& info);     // () -> the number of records so far
Napi::Value bindProfileStart(const Napi::CallbackInfo& info);  // (events)
Napi::Value bindProfileNow(const Napi::CallbackInfo& info);    // () -> nanoseconds since the start
Napi::Value bindProfileStop(const Napi::CallbackInfo& info);   // () -> { queue: columns, workers: [columns] }

// introspection.cpp
Napi::Value bindOps(const Napi::CallbackInfo& info);         // () -> [{ name, paramBytes, fields, minIn, ... }]
Napi::Value bindDevice(const Napi::CallbackInfo& info);      // () -> { threads, isa, compiled, runnable }
Napi::Value bindSetThreads(const Napi::CallbackInfo& info);  // (threads)
Napi::Value bindSetIsa(const Napi::CallbackInfo& info);      // (name)

// images.cpp: images are a Uint8Array or Float32Array, shape a Float64Array of 4
Napi::Value bindAugment(const Napi::CallbackInfo& info);    // (images, shape, stages, epoch, position, pieces) -> Promise<ArrayBuffer>
Napi::Value bindMixImages(const Napi::CallbackInfo& info);  // (images, shape, partners, mix, pieces) -> Promise<ArrayBuffer>

// faults.cpp, for tests
Napi::Value bindFailAllocation(const Napi::CallbackInfo& info);  // (first, times)
Napi::Value bindFailOp(const Napi::CallbackInfo& info);          // (op, first, times)
Napi::Value bindFailScratch(const Napi::CallbackInfo& info);     // (first, times)

}  // namespace anneal
