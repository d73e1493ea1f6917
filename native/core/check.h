// Helpers for the checks of op contracts: sizes are computed with overflow detection, messages have one form.
#pragma once

#include "op.h"

namespace anneal::check {

// Product of sizes; raises E_SHAPE on overflow of 2^62.
int64_t product(const char* what, const int64_t* dims, int count);
int64_t product(const char* what, int64_t a, int64_t b = 1, int64_t c = 1, int64_t d = 1, int64_t e = 1);

// Operand i must be present and hold at least `elements` items of `dtype`; where that is f32, it may be stored as f16.
void input(const OpCall& call, uint32_t i, const char* name, int64_t elements, DType dtype = DType::f32);
void output(const OpCall& call, uint32_t i, const char* name, int64_t elements, DType dtype = DType::f32);
// As input(), or absent.
bool optionalInput(const OpCall& call, uint32_t i, const char* name, int64_t elements, DType dtype = DType::f32);
bool optionalOutput(const OpCall& call, uint32_t i, const char* name, int64_t elements, DType dtype = DType::f32);

// lo <= value <= hi, else E_RANGE naming the field.
void range(const char* field, int64_t value, int64_t lo, int64_t hi);
void condition(bool ok, Code code, const char* format, ...) __attribute__((format(printf, 3, 4)));

// Outputs may alias an input only where the op says so: raises E_ARGUMENT if the byte ranges overlap.
void distinct(const OpCall& call, uint32_t out, uint32_t in);

size_t itemBytes(DType dtype);  // raises E_DTYPE on an unknown one

// A call as it comes from outside, its numbers of operands checked: what any op takes, then the op's own check.
void call(const OpDef& def, const OpCall& call);

}  // namespace anneal::check
