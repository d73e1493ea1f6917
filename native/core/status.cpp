#include "status.h"

#include <cstdarg>
#include <cstdio>
#include <new>

namespace anneal {

void raise(Code code, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw OpError(code, text);
}

const char* codeName(Code code) {
  switch (code) {
    case Code::shape: return "E_SHAPE";
    case Code::dtype: return "E_DTYPE";
    case Code::device: return "E_DEVICE";
    case Code::disposed: return "E_DISPOSED";
    case Code::oom: return "E_OOM";
    case Code::nonfinite: return "E_NONFINITE";
    case Code::format: return "E_FORMAT";
    case Code::range: return "E_RANGE";
    case Code::argument: return "E_ARGUMENT";
    case Code::internal: break;
  }
  return "E_INTERNAL";
}

Failure currentFailure(const char* opName) {
  const std::string prefix = std::string(opName) + ": ";
  try {
    throw;
  } catch (const OpError& error) {
    return {error.code(), prefix + error.what()};
  } catch (const std::bad_alloc&) {
    return {Code::oom, prefix + "out of memory"};
  } catch (const std::exception& error) {
    return {Code::internal, prefix + error.what()};
  }
}

}  // namespace anneal
