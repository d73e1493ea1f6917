// Each f32 unary and binary function in double: what the references of the rooms that run them are made of.
#pragma once

#include "elementwise.h"

namespace anneal {

double unaryValue(UnaryCode code, double x, double alpha, double beta);
double binaryValue(BinaryCode code, double a, double b, double alpha, double beta);

}  // namespace anneal
