#include "kernels/reduce.h"

#include <limits>
#include <type_traits>

namespace rush::RUSH_ISA {
namespace {

template <class T>
constexpr bool kFloating = std::is_floating_point_v<T>;

// The type whose sums and products neither overflow early nor lose digits.
template <class T>
using Wide = std::conditional_t<kFloating<T>, double, int64_t>;

template <class T>
constexpr T lowest() {
  return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                              : std::numeric_limits<T>::lowest();
}
template <class T>
constexpr T highest() {
  return std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                              : std::numeric_limits<T>::max();
}

template <class T>
struct Sum {
  using Acc = Wide<T>;
  using Result = std::conditional_t<kFloating<T>, T, int64_t>;
  static constexpr Acc kStart = 0;
  static Acc fold(Acc a, Acc b) { return a + b; }
  static Result finish(Acc a, int64_t) { return static_cast<Result>(a); }
};

template <class T>
struct Mean : Sum<T> {
  using Result = T;
  static T finish(Wide<T> a, int64_t count) { return static_cast<T>(a / count); }
};

template <class T>
struct Prod {
  using Acc = Wide<T>;
  using Result = std::conditional_t<kFloating<T>, T, int64_t>;
  static constexpr Acc kStart = 1;
  static Acc fold(Acc a, Acc b) { return a * b; }
  static Result finish(Acc a, int64_t) { return static_cast<Result>(a); }
};

template <class T>
struct Amax {
  using Acc = T;
  using Result = T;
  static constexpr T kStart = lowest<T>();
  static T fold(T a, T b) { return b > a || b != b ? b : a; }
  static T finish(T a, int64_t) { return a; }
};

template <class T>
struct Amin {
  using Acc = T;
  using Result = T;
  static constexpr T kStart = highest<T>();
  static T fold(T a, T b) { return b < a || b != b ? b : a; }
  static T finish(T a, int64_t) { return a; }
};

template <class T>
struct Any {
  using Acc = bool;
  using Result = bool;
  static constexpr bool kStart = false;
  static bool fold(bool a, bool b) { return a | b; }
  static bool finish(bool a, int64_t) { return a; }
};

template <class T>
struct All {
  using Acc = bool;
  using Result = bool;
  static constexpr bool kStart = true;
  static bool fold(bool a, bool b) { return a & b; }
  static bool finish(bool a, int64_t) { return a; }
};

constexpr int kLanes = 32;
constexpr int64_t kBlock = 512;

// Dense rows: lanes of T within a block, blocks added up in the wide type. An error of float32
// sums thus grows with 16 additions, however long the row.
template <class R, class T>
typename R::Acc fold_dense(int64_t n, const T* x, typename R::Acc total) {
  using Acc = typename R::Acc;
  using Lane =
      std::conditional_t<std::is_same_v<T, float> && std::is_same_v<Acc, double>, float, Acc>;
  int64_t i = 0;
  while (n - i >= kLanes) {
    Lane lanes[kLanes];
    for (int l = 0; l < kLanes; ++l) lanes[l] = static_cast<Lane>(R::kStart);
    const int64_t end = i + (n - i < kBlock ? (n - i) / kLanes * kLanes : kBlock);
    for (; i < end; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) {
        lanes[l] = static_cast<Lane>(R::fold(lanes[l], static_cast<Lane>(x[i + l])));
      }
    }
    for (int l = 0; l < kLanes; ++l) total = R::fold(total, static_cast<Acc>(lanes[l]));
  }
  for (; i < n; ++i) total = R::fold(total, static_cast<Acc>(x[i]));
  return total;
}

template <class R, class T>
void row(int64_t n, const char* x, int64_t stride, void* acc) {
  using Acc = typename R::Acc;
  Acc total = *static_cast<Acc*>(acc);
  if (stride == sizeof(T)) {
    total = fold_dense<R>(n, reinterpret_cast<const T*>(x), total);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      total = R::fold(total, static_cast<Acc>(*reinterpret_cast<const T*>(x + i * stride)));
    }
  }
  *static_cast<Acc*>(acc) = total;
}

template <class R, class T>
void columns(int64_t n, const char* x, int64_t stride, void* acc) {
  using Acc = typename R::Acc;
  Acc* total = static_cast<Acc*>(acc);
  if (stride == sizeof(T)) {
    const T* dense = reinterpret_cast<const T*>(x);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) total[j] = R::fold(total[j], static_cast<Acc>(dense[j]));
    return;
  }
  for (int64_t j = 0; j < n; ++j) {
    total[j] = R::fold(total[j], static_cast<Acc>(*reinterpret_cast<const T*>(x + j * stride)));
  }
}

template <class R>
void init(int64_t n, void* acc) {
  for (int64_t j = 0; j < n; ++j) static_cast<typename R::Acc*>(acc)[j] = R::kStart;
}

template <class R>
void merge(void* acc, const void* other) {
  using Acc = typename R::Acc;
  *static_cast<Acc*>(acc) = R::fold(*static_cast<Acc*>(acc), *static_cast<const Acc*>(other));
}

template <class R>
void finish(int64_t n, const void* acc, int64_t count, char* out, int64_t stride) {
  const auto* total = static_cast<const typename R::Acc*>(acc);
  for (int64_t j = 0; j < n; ++j) {
    *reinterpret_cast<typename R::Result*>(out + j * stride) = R::finish(total[j], count);
  }
}

template <class R, class T>
Reducer reducer() {
  return {DTypeOf<typename R::Result>::value,
          sizeof(typename R::Acc),
          init<R>,
          row<R, T>,
          columns<R, T>,
          merge<R>,
          finish<R>};
}

template <class T, bool kGreatest>
int64_t arg_extreme(int64_t n, const char* x, int64_t stride) {
  int64_t best_index = 0;
  T best = *reinterpret_cast<const T*>(x);
  for (int64_t i = 1; i < n; ++i) {
    if (best != best) break;
    const T value = *reinterpret_cast<const T*>(x + i * stride);
    if ((kGreatest ? value > best : value < best) || value != value) {
      best = value;
      best_index = i;
    }
  }
  return best_index;
}

template <class T>
double squares(int64_t n, const char* x, int64_t stride, double mean) {
  constexpr int kWide = 8;
  double lanes[kWide] = {};
  int64_t i = 0;
  if (stride == sizeof(T)) {
    const T* dense = reinterpret_cast<const T*>(x);
    for (; i + kWide <= n; i += kWide) {
      for (int l = 0; l < kWide; ++l) {
        const double d = static_cast<double>(dense[i + l]) - mean;
        lanes[l] += d * d;
      }
    }
  }
  double total = 0;
  for (const double lane : lanes) total += lane;
  for (; i < n; ++i) {
    const double d = static_cast<double>(*reinterpret_cast<const T*>(x + i * stride)) - mean;
    total += d * d;
  }
  return total;
}

template <class T>
void column_squares(int64_t n, const char* x, int64_t stride, const double* mean, double* acc) {
#pragma GCC ivdep
  for (int64_t j = 0; j < n; ++j) {
    const double d = static_cast<double>(*reinterpret_cast<const T*>(x + j * stride)) - mean[j];
    acc[j] += d * d;
  }
}

template <class T>
void fill(ReduceKernels& table) {
  constexpr int type = static_cast<int>(DTypeOf<T>::value);
  const auto set = [&](Reduce op, Reducer r) { table.reducers[static_cast<int>(op)][type] = r; };
  set(Reduce::sum, reducer<Sum<T>, T>());
  set(Reduce::prod, reducer<Prod<T>, T>());
  set(Reduce::amax, reducer<Amax<T>, T>());
  set(Reduce::amin, reducer<Amin<T>, T>());
  set(Reduce::any, reducer<Any<T>, T>());
  set(Reduce::all, reducer<All<T>, T>());
  table.argmax[type] = arg_extreme<T, true>;
  table.argmin[type] = arg_extreme<T, false>;
  if constexpr (kFloating<T>) {
    set(Reduce::mean, reducer<Mean<T>, T>());
    table.squares[type] = squares<T>;
    table.column_squares[type] = column_squares<T>;
  }
}

}  // namespace

ReduceKernels reduce_kernels() {
  ReduceKernels table{};
#define RUSH_FILL(id, type) fill<type>(table);
  RUSH_COMPUTED(RUSH_FILL)
#undef RUSH_FILL
  return table;
}

}  // namespace rush::RUSH_ISA
