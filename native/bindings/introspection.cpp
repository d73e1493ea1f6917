#include <string>

#include "bindings.h"
#include "context.h"

namespace anneal {

Napi::Value bindOps(const Napi::CallbackInfo& info) {
  return guarded(info, "ops", [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    static const char* const typeNames[] = {"u32", "i32", "f32"};
    Napi::Array ops = Napi::Array::New(env, kOpCount);
    for (uint32_t id = 0; id < kOpCount; ++id) {
      const OpDef& def = opDef(id);
      Napi::Array fields = Napi::Array::New(env, def.nFields);
      for (uint32_t i = 0; i < def.nFields; ++i) {
        const Field& field = def.fields[i];
        Napi::Object entry = Napi::Object::New(env);
        entry.Set("name", field.name);
        entry.Set("type", typeNames[static_cast<uint32_t>(field.type)]);
        entry.Set("offset", field.offset);
        entry.Set("count", field.count);
        fields.Set(i, entry);
      }
      Napi::Object op = Napi::Object::New(env);
      op.Set("id", id);
      op.Set("name", def.name);
      op.Set("paramBytes", def.paramBytes);
      op.Set("fields", fields);
      op.Set("minIn", def.minIn);
      op.Set("maxIn", def.maxIn);
      op.Set("minOut", def.minOut);
      op.Set("maxOut", def.maxOut);
      ops.Set(id, op);
    }
    return ops;
  });
}

Napi::Value bindDevice(const Napi::CallbackInfo& info) {
  return guarded(info, "device", [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const Context& context = Context::of(info);
    Napi::Array compiled = Napi::Array::New(env);
    Napi::Array runnable = Napi::Array::New(env);
    for (int i = 0; i < kIsaCount; ++i) {
      const Isa isa = static_cast<Isa>(i);
      if (isaCompiled(isa)) compiled.Set(compiled.Length(), isaName(isa));
      if (isaRunnable(isa)) runnable.Set(runnable.Length(), isaName(isa));
    }
    Napi::Object device = Napi::Object::New(env);
    device.Set("threads", context.threads());
    device.Set("isa", isaName(context.isa()));
    device.Set("compiled", compiled);
    device.Set("runnable", runnable);
    return device;
  });
}

Napi::Value bindSetThreads(const Napi::CallbackInfo& info) {
  return guarded(info, "setThreads", [&]() -> Napi::Value {
    Context::of(info).setThreads(static_cast<int>(integerArgument(info, 0, "threads", 1024)));
    return info.Env().Undefined();
  });
}

Napi::Value bindSetIsa(const Napi::CallbackInfo& info) {
  return guarded(info, "setIsa", [&]() -> Napi::Value {
    if (!info[0].IsString()) raise(Code::argument, "expected the name of an instruction set");
    const std::string name = info[0].As<Napi::String>().Utf8Value();
    for (int i = 0; i < kIsaCount; ++i) {
      const Isa isa = static_cast<Isa>(i);
      if (name != isaName(isa)) continue;
      if (!isaRunnable(isa)) raise(Code::device, "expected an instruction set this CPU has, received '%s'", name.c_str());
      Context::of(info).setIsa(isa);
      return info.Env().Undefined();
    }
    raise(Code::argument, "expected reference, baseline, avx2 or avx512, received '%.40s'", name.c_str());
  });
}

}  // namespace anneal
