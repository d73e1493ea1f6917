// Errors on their way from a check, a kernel or the pool to JavaScript.
#pragma once

#include <exception>
#include <string>

#include "op.h"

namespace anneal {

class OpError : public std::exception {
 public:
  OpError(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  Code code() const { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Code code_;
  std::string message_;
};

const char* codeName(Code code);  // "E_SHAPE", ...

// What a queue keeps of a failure until someone asks: plain data, safe to hand between threads.
struct Failure {
  Code code;
  std::string message;  // "gather: index 17 is out of range [0, 10)"
};

// The failure behind the exception being handled, with the op's name in front.
Failure currentFailure(const char* opName);

}  // namespace anneal
