// What the body of reduce folds with. Scalars and vectors share each function; T is float, int32_t or, for sums and
// products that wrap, uint32_t.
#pragma once

#include "../common/simd.h"

namespace anneal::ANNEAL_ISA {

template <class T> struct Items;
template <> struct Items<float> {
  using Vector = vf;
  using Total = double;
  static constexpr float lowest = -__builtin_inff();
  static constexpr float highest = __builtin_inff();
};
template <> struct Items<int32_t> {
  using Vector = vi;
  using Total = int32_t;
  static constexpr int32_t lowest = INT32_MIN;
  static constexpr int32_t highest = INT32_MAX;
};
template <> struct Items<uint32_t> {
  typedef uint32_t Vector __attribute__((vector_size(kLanes * 4)));
  using Total = uint32_t;
};

template <class T> using Vector = typename Items<T>::Vector;
template <class T> using Total = typename Items<T>::Total;

template <class T> static inline Vector<T> loadVector(const T* p) {
  Vector<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T> static inline void storeVector(T* p, Vector<T> v) { __builtin_memcpy(p, &v, sizeof v); }

// step() folds an item into an accumulator, merge() two accumulators.
struct Sum {
  template <class T> static T identity() { return T{0}; }
  template <class V> static V step(V acc, V x) { return acc + x; }
  template <class V> static V merge(V a, V b) { return a + b; }
};

struct SumSquares {
  template <class T> static T identity() { return T{0}; }
  template <class V> static V step(V acc, V x) { return acc + x * x; }
  template <class V> static V merge(V a, V b) { return a + b; }
};

struct Product {
  template <class T> static T identity() { return T{1}; }
  template <class V> static V step(V acc, V x) { return acc * x; }
  template <class V> static V merge(V a, V b) { return a * b; }
};

// Both take a NaN and keep it: a comparison with it is false.
struct Maximum {
  template <class T> static T identity() { return Items<T>::lowest; }
  template <class V> static V step(V acc, V x) { return ((x > acc) | (x != x)) ? x : acc; }
  template <class V> static V merge(V a, V b) { return step(a, b); }
  template <class V> static auto beats(V x, V best) { return (x > best) | ((x != x) & (best == best)); }
};

struct Minimum {
  template <class T> static T identity() { return Items<T>::highest; }
  template <class V> static V step(V acc, V x) { return ((x < acc) | (x != x)) ? x : acc; }
  template <class V> static V merge(V a, V b) { return step(a, b); }
  template <class V> static auto beats(V x, V best) { return (x < best) | ((x != x) & (best == best)); }
};

// n items in a row: four vectors of lanes, then the lanes in order.
template <class F, class T> static inline Total<T> foldRow(const T* x, int64_t n) {
  using V = Vector<T>;
  const V identity = V{} + F::template identity<T>();
  V acc0 = identity, acc1 = identity, acc2 = identity, acc3 = identity;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    acc0 = F::step(acc0, loadVector(x + i));
    acc1 = F::step(acc1, loadVector(x + i + kLanes));
    acc2 = F::step(acc2, loadVector(x + i + 2 * kLanes));
    acc3 = F::step(acc3, loadVector(x + i + 3 * kLanes));
  }
  for (; i + kLanes <= n; i += kLanes) acc0 = F::step(acc0, loadVector(x + i));
  T lanes[kLanes];
  storeVector(lanes, F::merge(F::merge(acc0, acc1), F::merge(acc2, acc3)));
  for (int lane = 0; i < n; ++i, ++lane) lanes[lane] = F::step(lanes[lane], x[i]);
  Total<T> total = static_cast<Total<T>>(lanes[0]);
  for (int lane = 1; lane < kLanes; ++lane) total = F::merge(total, static_cast<Total<T>>(lanes[lane]));
  return total;
}

}  // namespace anneal::ANNEAL_ISA
