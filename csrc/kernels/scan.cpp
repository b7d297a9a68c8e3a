#include "kernels/scan.h"

#include <cmath>
#include <limits>
#include <type_traits>

namespace rush::RUSH_ISA {
namespace {

// The type whose sums and products do not lose digits.
template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, T>;

template <class T>
T& at(const Steps& s, int64_t i, int64_t j) {
  return *reinterpret_cast<T*>(s.data + i * s.step + j * s.lane);
}

struct Sum {
  static constexpr int kStart = 0;
  template <class A>
  static A fold(A total, A x) {
    return total + x;
  }
};

struct Product {
  static constexpr int kStart = 1;
  template <class A>
  static A fold(A total, A x) {
    return total * x;
  }
};

struct LogSumExp {
  static constexpr double kStart = -std::numeric_limits<double>::infinity();
  static double fold(double total, double x) {
    const double greater = x > total || x != x ? x : total;
    if (x == total && std::isinf(x)) return x;
    return greater + std::log1p(std::exp(-std::fabs(total - x)));
  }
};

// Calls body(lanes), for a single lane with a constant, so that its state stays in registers.
template <class F>
void with_lanes(int64_t lanes, F&& body) {
  if (lanes == 1) {
    body(std::integral_constant<int64_t, 1>());
  } else {
    body(lanes);
  }
}

template <class F, class T>
void scan(int64_t n, int64_t lanes, const Steps* operands) {
  using Acc = Wide<T>;
  const Steps out = operands[0], x = operands[1];
  Acc total[kScanLanes];
  for (int64_t j = 0; j < lanes; ++j) total[j] = static_cast<Acc>(F::kStart);
  if (lanes > 1 && out.lane == sizeof(T) && x.lane == sizeof(T)) {
    for (int64_t i = 0; i < n; ++i) {
      const T* from = &at<const T>(x, i, 0);
      T* to = &at<T>(out, i, 0);
#pragma GCC ivdep
      for (int64_t j = 0; j < lanes; ++j) {
        total[j] = F::fold(total[j], static_cast<Acc>(from[j]));
        to[j] = static_cast<T>(total[j]);
      }
    }
    return;
  }
  with_lanes(lanes, [&](auto count) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < count; ++j) {
        total[j] = F::fold(total[j], static_cast<Acc>(at<const T>(x, i, j)));
        at<T>(out, i, j) = static_cast<T>(total[j]);
      }
    }
  });
}

// A NaN wins, and of several the last one.
template <class T, bool kGreatest>
void extreme(int64_t n, int64_t lanes, const Steps* operands) {
  const Steps values = operands[0], indices = operands[1], x = operands[2];
  with_lanes(lanes, [&](auto count) {
    T best[kScanLanes];
    int64_t where[kScanLanes];
    for (int64_t j = 0; j < count; ++j) {
      best[j] = at<const T>(x, 0, j);
      where[j] = 0;
    }
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < count; ++j) {
        const T found = at<const T>(x, i, j);
        if ((kGreatest ? found >= best[j] : found <= best[j]) || found != found) {
          best[j] = found;
          where[j] = i;
        }
        at<T>(values, i, j) = best[j];
        at<int64_t>(indices, i, j) = where[j];
      }
    }
  });
}

template <class T, bool kAdjoint>
void recurrence(int64_t n, int64_t lanes, const Steps* operands) {
  const Steps out = operands[0], factor = operands[1], term = operands[2];
  with_lanes(lanes, [&](auto count) {
    double last[kScanLanes];
    for (int64_t j = 0; j < count; ++j) {
      last[j] = static_cast<double>(at<const T>(term, 0, j));
      at<T>(out, 0, j) = static_cast<T>(last[j]);
    }
    for (int64_t i = 1; i < n; ++i) {
      for (int64_t j = 0; j < count; ++j) {
        const T f = at<const T>(factor, kAdjoint ? i - 1 : i, j);
        last[j] = static_cast<double>(at<const T>(term, i, j)) + static_cast<double>(f) * last[j];
        at<T>(out, i, j) = static_cast<T>(last[j]);
      }
    }
  });
}

template <class T>
ScanLoops loops() {
  ScanLoops table{scan<Sum, T>,      scan<Product, T>, nullptr, extreme<T, true>,
                  extreme<T, false>, nullptr,          nullptr};
  if constexpr (std::is_floating_point_v<T>) {
    table.logsumexp = scan<LogSumExp, T>;
    table.recurrence = recurrence<T, false>;
    table.adjoint = recurrence<T, true>;
  }
  return table;
}

}  // namespace

ScanKernels scan_kernels() {
  ScanKernels table{};
  table.of_type[static_cast<int>(DType::kInt64)] = loops<int64_t>();
  table.of_type[static_cast<int>(DType::kFloat32)] = loops<float>();
  table.of_type[static_cast<int>(DType::kFloat64)] = loops<double>();
  return table;
}

}  // namespace rush::RUSH_ISA
