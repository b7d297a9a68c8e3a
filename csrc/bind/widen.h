// Kernels over whole arrays of types that they do not compute in: see NOTE [Stored and computed
// types] in dtype.h.
#pragma once

#include <deque>
#include <type_traits>
#include <utility>

#include "bind/arrays.h"

namespace rush {

// The view of x converted to the type that is computed in; `owner` keeps a copy.
inline Array widened(const Array& x, py::object& owner) {
  const DType computed = computed_in(x.dtype);
  if (x.dtype == computed) return x;
  Array wide;
  owner = new_array(computed, x.ndim, x.shape, wide);
  copy_into(wide, x);
  return wide;
}

// Converts the operands of one call, and its results back. All arrays of the operation's category
// must have one type: if they do not, nothing is converted, and the kernel finds the words for it.
class Widening {
 public:
  template <class T>
  void see(const T& argument) {
    if constexpr (std::is_convertible_v<T, py::handle>) {
      if (!is_array(argument)) return;
      const DType dtype = read_array(argument).dtype;
      if (!seen_) stored_ = dtype;
      seen_ = true;
      agree_ &= dtype == stored_ || category(dtype) != category(stored_);
    }
  }

  bool needed() const { return seen_ && agree_ && computed_in(stored_) != stored_; }

  template <class T>
  decltype(auto) widen(T&& argument) {
    if constexpr (std::is_convertible_v<T, py::handle>) {
      py::handle given = argument;
      if (!is_array(given)) return given;
      const Array x = read_array(given);
      if (x.dtype != stored_) return given;
      owners_.emplace_back();
      widened(x, owners_.back());
      return py::handle(owners_.back());
    } else {
      return std::forward<T>(argument);
    }
  }

  py::object narrow(const py::object& result) const {
    if (!is_array(result)) return result;  // None, for a gradient that nobody wants
    const Array wide = read_array(result);
    if (wide.dtype != computed_in(stored_)) return result;
    Array x;
    py::object narrow = new_array(stored_, wide.ndim, wide.shape, x);
    copy_into(x, wide);
    return narrow;
  }

  py::tuple narrow(const py::tuple& results) const {
    py::tuple narrowed(results.size());
    for (size_t i = 0; i < results.size(); ++i) narrowed[i] = narrow(py::object(results[i]));
    return narrowed;
  }

 private:
  DType stored_ = DType::kBool;
  bool seen_ = false, agree_ = true;
  std::deque<py::object> owners_;
};

// The binding `f` for every element type: types without kernels are computed in another.
template <class R, class... Args>
auto in_computed_type(R (*f)(Args...)) {
  return [f](Args... args) -> R {
    Widening types;
    (types.see(args), ...);
    if (!types.needed()) return f(std::forward<Args>(args)...);
    return types.narrow(f(types.widen(std::forward<Args>(args))...));
  };
}

}  // namespace rush
