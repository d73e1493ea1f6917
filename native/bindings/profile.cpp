#include <type_traits>

#include "bindings.h"
#include "context.h"

namespace anneal {
namespace {

constexpr uint64_t kMaxEvents = uint64_t{1} << 26;

const Profile& profileOf(Context& context) {
  const Profile* const profile = context.queue().profile();
  if (profile == nullptr) raise(Code::argument, "expected a profile that was started, received none");
  return *profile;
}

// A typed array of one number of each event.
template <class Array, class Pick>
Array column(Napi::Env env, const ProfileBuffer& buffer, const Pick& pick) {
  using Item = std::remove_reference_t<decltype(std::declval<Array>()[0])>;
  Array array = Array::New(env, buffer.size());
  Item* at = array.Data();
  for (const ProfileEvent& event : buffer) *at++ = static_cast<Item>(pick(event));
  return array;
}

Napi::Object columns(Napi::Env env, const ProfileBuffer& buffer, int64_t origin) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("start", column<Napi::Float64Array>(env, buffer, [&](const ProfileEvent& e) { return e.start - origin; }));
  object.Set("end", column<Napi::Float64Array>(env, buffer, [&](const ProfileEvent& e) { return e.end - origin; }));
  object.Set("sequence", column<Napi::Float64Array>(env, buffer, [](const ProfileEvent& e) { return e.sequence; }));
  object.Set("index", column<Napi::Uint32Array>(env, buffer, [](const ProfileEvent& e) { return e.index; }));
  object.Set("what", column<Napi::Uint32Array>(env, buffer, [](const ProfileEvent& e) { return e.what; }));
  object.Set("dropped", static_cast<double>(buffer.dropped()));
  return object;
}

}  // namespace

Napi::Value bindProfileStart(const Napi::CallbackInfo& info) {
  return guarded(info, "profile", [&]() -> Napi::Value {
    const uint64_t capacity = integerArgument(info, 0, "events", kMaxEvents);
    if (capacity == 0) raise(Code::argument, "expected room for at least one event");
    Context::of(info).queue().startProfile(capacity);
    return info.Env().Undefined();
  });
}

Napi::Value bindProfileNow(const Napi::CallbackInfo& info) {
  return guarded(info, "profile", [&]() -> Napi::Value {
    const int64_t origin = profileOf(Context::of(info)).origin;
    return Napi::Number::New(info.Env(), static_cast<double>(profileClock() - origin));
  });
}

Napi::Value bindProfileStop(const Napi::CallbackInfo& info) {
  return guarded(info, "profile", [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    DeviceQueue& queue = Context::of(info).queue();
    profileOf(Context::of(info));
    const std::unique_ptr<Profile> profile = queue.stopProfile();
    Napi::Array workers = Napi::Array::New(env, profile->workers.size());
    for (uint32_t i = 0; i < profile->workers.size(); ++i)
      workers.Set(i, columns(env, *profile->workers[i], profile->origin));
    Napi::Object result = Napi::Object::New(env);
    result.Set("queue", columns(env, profile->queue, profile->origin));
    result.Set("workers", workers);
    return result;
  });
}

Napi::Value bindSubmitted(const Napi::CallbackInfo& info) {
  return guarded(info, "submitted", [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(Context::of(info).queue().submitted()));
  });
}

}  // namespace anneal
