#include "kernels/reduce.h"

#include "bind/arrays.h"
#include "bind/widen.h"
#include "convert.h"
#include "strided.h"

namespace rush {
namespace {

constexpr int64_t kColumns = 256;    // accumulators side by side: 2 KB, so they stay in L1
constexpr int64_t kPiece = 1 << 15;  // elements of a full reduction folded by one thread at a time

// A reducer over elements of one type, which may be stored in another than it folds: runs are then
// converted block by block, as are the results.
class Folding {
 public:
  Folding(Reduce op, const char* name, DType stored)
      : reducer_(find(op, name, stored)), result_(result_of(op, stored)) {
    const DType computed = computed_in(stored);
    size_ = itemsize(computed);
    converts_ = stored != computed;
    if (converts_) in_ = Cast(computed, stored);
    if (result_ != reducer_.result) out_ = Cast(result_, reducer_.result);
  }

  DType result() const { return result_; }
  int64_t accumulator_bytes() const { return reducer_.accumulator_bytes; }
  void init(int64_t n, void* acc) const { reducer_.init(n, acc); }
  void merge(void* acc, const void* other) const { reducer_.merge(acc, other); }

  // Folds n elements into acc[0].
  void row(int64_t n, const char* x, int64_t stride, void* acc) const {
    if (!converts_) return reducer_.row(n, x, stride, acc);
    each_block(n, x, stride, [&](int64_t, int64_t count, const char* block) {
      reducer_.row(count, block, size_, acc);
    });
  }

  // Folds x[j] into acc[j].
  void columns(int64_t n, const char* x, int64_t stride, char* acc) const {
    if (!converts_) return reducer_.columns(n, x, stride, acc);
    each_block(n, x, stride, [&](int64_t begin, int64_t count, const char* block) {
      reducer_.columns(count, block, size_, acc + begin * reducer_.accumulator_bytes);
    });
  }

  void finish(int64_t n, const char* acc, int64_t count, char* out, int64_t stride) const {
    if (result_ == reducer_.result) return reducer_.finish(n, acc, count, out, stride);
    alignas(8) char results[kConvertBlock * kLargestElement];
    for (int64_t begin = 0; begin < n; begin += kConvertBlock) {
      const int64_t part = std::min(kConvertBlock, n - begin);
      reducer_.finish(part, acc + begin * reducer_.accumulator_bytes, count, results, size_);
      char* const data[2] = {out + begin * stride, results};
      const int64_t strides[2] = {stride, size_};
      out_(part, data, strides);
    }
  }

 private:
  static const Reducer& find(Reduce op, const char* name, DType stored) {
    const auto type = static_cast<int>(computed_in(stored));
    const Reducer& reducer = reduce().reducers[static_cast<int>(op)][type];
    if (reducer.row == nullptr) {
      throw Error(std::string(name) +
                  "(): could not infer output dtype. Input dtype must be either a floating point "
                  "or complex dtype. Got: " +
                  scalar_name(stored));
    }
    // Kernels see the bits of a uint64 as an int64: its order is lost.
    if (stored == DType::kUint64 && (op == Reduce::amax || op == Reduce::amin)) {
      refuse_type(name, stored);
    }
    return reducer;
  }

  static DType result_of(Reduce op, DType stored) {
    const bool sums = op == Reduce::sum || op == Reduce::prod;
    if (op == Reduce::any || op == Reduce::all) return DType::kBool;
    return sums && category(stored) != Category::kFloating ? DType::kInt64 : stored;
  }

  template <class F>
  void each_block(int64_t n, const char* x, int64_t stride, F&& fold) const {
    alignas(64) char block[kConvertBlock * kLargestElement];
    for (int64_t begin = 0; begin < n; begin += kConvertBlock) {
      const int64_t count = std::min(kConvertBlock, n - begin);
      char* const data[2] = {block, const_cast<char*>(x) + begin * stride};
      const int64_t strides[2] = {size_, stride};
      in_(count, data, strides);
      fold(begin, count, block);
    }
  }

  const Reducer& reducer_;
  DType result_;
  int64_t size_;
  bool converts_;
  Cast in_, out_;
};

// x's dimensions, split into those that stay and those that are folded.
struct Split {
  Walk<2> kept;       // out and x
  Walk<1> reduced;    // x, from the first element of a result
  int64_t count = 1;  // elements in each result
  int out_ndim = 0;
  int64_t out_shape[kMaxDims];
};

void split_shape(const Array& x, const std::vector<int>& dims, bool keepdim, Split& split,
                 bool* folded) {
  std::fill_n(folded, kMaxDims, false);
  for (const int d : dims) folded[d] = true;
  for (int d = 0; d < x.ndim; ++d) {
    if (folded[d]) split.count *= x.shape[d];
    if (!folded[d] || keepdim) split.out_shape[split.out_ndim++] = folded[d] ? 1 : x.shape[d];
  }
}

void split_walks(const Array& x, const Array& out, const bool* folded, bool keepdim, Split& split) {
  Array kept = x, result = x, reduced = x;
  int k = 0, r = 0, o = 0;
  for (int d = 0; d < x.ndim; ++d) {
    if (folded[d]) {
      reduced.shape[r] = x.shape[d];
      reduced.strides[r++] = x.strides[d];
      if (keepdim) ++o;
    } else {
      kept.shape[k] = result.shape[k] = x.shape[d];
      kept.strides[k] = x.strides[d];
      result.strides[k++] = out.strides[o++];
    }
  }
  kept.ndim = result.ndim = k;
  reduced.ndim = r;
  result.data = out.data;
  split.kept = plan_walk<2>(k, kept.shape, {&result, &kept});
  split.reduced = plan_walk<1>(r, reduced.shape, {&reduced});
}

// Calls visit(x, n, stride) for each innermost run of the reduced dimensions, from `start` on.
template <class F>
void each_reduced_run(const Walk<1>& reduced, char* start, F&& visit) {
  const int64_t n = reduced.ndim ? reduced.shape[reduced.ndim - 1] : 1;
  const int64_t stride = reduced.ndim ? reduced.strides[0][reduced.ndim - 1] : 0;
  Walk<1> walk = reduced;
  walk.data[0] = start;
  char* data[1];
  int64_t position[kMaxDims];
  seek(walk, 0, data, position);
  const int64_t runs = n ? walk.numel() / n : 0;
  for (int64_t r = 0; r < runs; ++r) {
    visit(data[0], n, stride);
    advance(walk, data, position);
  }
}

// Whether neighbouring results read neighbouring memory, while the elements of one lie apart.
bool by_columns(const Split& split) {
  if (split.kept.ndim == 0 || split.reduced.ndim == 0) return false;
  return std::abs(split.kept.strides[1][split.kept.ndim - 1]) <
         std::abs(split.reduced.strides[0][split.reduced.ndim - 1]);
}

// visit(n, out, x, out_stride, x_stride) for blocks of at most `width` neighbouring results.
template <class F>
void each_result_block(const Split& split, int64_t width, F&& visit) {
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, split.count));
  for_each_run(split.kept, grain, [&](int64_t n, char* const* data, const int64_t* s) {
    for (int64_t begin = 0; begin < n; begin += width) {
      visit(std::min(width, n - begin), data[0] + begin * s[0], data[1] + begin * s[1], s[0], s[1]);
    }
  });
}

void reduce_columns(const Folding& r, const Split& split) {
  each_result_block(split, kColumns, [&](int64_t n, char* out, char* x, int64_t so, int64_t sx) {
    alignas(64) char acc[kColumns * sizeof(double)];
    r.init(n, acc);
    each_reduced_run(split.reduced, x, [&](char* first, int64_t rows, int64_t stride) {
      for (int64_t i = 0; i < rows; ++i) r.columns(n, first + i * stride, sx, acc);
    });
    r.finish(n, acc, split.count, out, so);
  });
}

void reduce_rows(const Folding& r, const Split& split) {
  each_result_block(split, 1, [&](int64_t, char* out, char* x, int64_t so, int64_t) {
    alignas(16) char acc[16];
    r.init(1, acc);
    each_reduced_run(split.reduced, x,
                     [&](char* first, int64_t n, int64_t stride) { r.row(n, first, stride, acc); });
    r.finish(1, acc, split.count, out, so);
  });
}

// One result from one long run: pieces of fixed length, so that the sum does not depend on threads.
void reduce_pieces(const Folding& r, const Split& split) {
  const int64_t pieces = (split.count + kPiece - 1) / kPiece;
  const int64_t stride = split.reduced.strides[0][0];
  Buffer<char> accs(pieces * r.accumulator_bytes());
  parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      char* acc = accs + p * r.accumulator_bytes();
      r.init(1, acc);
      r.row(std::min(kPiece, split.count - p * kPiece), split.reduced.data[0] + p * kPiece * stride,
            stride, acc);
    }
  });
  for (int64_t p = 1; p < pieces; ++p) r.merge(accs, accs + p * r.accumulator_bytes());
  r.finish(1, accs, split.count, split.kept.data[0], 0);
}

void refuse_empty(const char* name, const Array& x, const std::vector<int>& dims) {
  for (const int d : dims) {
    if (x.shape[d] == 0) {
      throw std::out_of_range(std::string(name) + "(): Expected reduction dim " +
                              std::to_string(d) + " to have non-zero size.");
    }
  }
}

py::object reduce_kernel(Reduce op, const char* name, py::handle input, py::handle dim,
                         bool keepdim) {
  const Array x = read_array(input);
  const Folding r(op, name, x.dtype);
  const std::vector<int> dims = read_dims(dim, x.ndim);
  if (op == Reduce::amax || op == Reduce::amin) refuse_empty(name, x, dims);
  Split split;
  bool folded[kMaxDims];
  split_shape(x, dims, keepdim, split, folded);
  Array out;
  py::object result = new_array(r.result(), split.out_ndim, split.out_shape, out);
  split_walks(x, out, folded, keepdim, split);
  MaybeReleaseGil release(x.numel());
  if (by_columns(split)) {
    reduce_columns(r, split);
  } else if (split.kept.ndim == 0 && split.reduced.ndim == 1 && split.count > 2 * kPiece) {
    reduce_pieces(r, split);
  } else {
    reduce_rows(r, split);
  }
  return result;
}

py::object variance(py::handle input, py::handle dim, double correction, bool keepdim) {
  const Array x = read_array(input);
  const auto type = static_cast<int>(x.dtype);
  if (reduce().squares[type] == nullptr) {
    throw Error("std and var only support floating point and complex dtypes");
  }
  Split split;
  bool folded[kMaxDims];
  split_shape(x, read_dims(dim, x.ndim), keepdim, split, folded);
  Array out;
  py::object result = new_array(x.dtype, split.out_ndim, split.out_shape, out);
  split_walks(x, out, folded, keepdim, split);
  const Reducer& sum = reduce().reducers[static_cast<int>(Reduce::sum)][type];
  const double divisor = std::max(0.0, static_cast<double>(split.count) - correction);
  const bool columns = by_columns(split);
  MaybeReleaseGil release(x.numel());
  each_result_block(
      split, columns ? kColumns : 1,
      [&](int64_t n, char* target, char* first, int64_t so, int64_t sx) {
        double mean[kColumns], total[kColumns];
        sum.init(n, mean);
        std::fill_n(total, n, 0.0);
        each_reduced_run(split.reduced, first, [&](char* run, int64_t length, int64_t stride) {
          if (!columns) return sum.row(length, run, stride, mean);
          for (int64_t i = 0; i < length; ++i) sum.columns(n, run + i * stride, sx, mean);
        });
        for (int64_t j = 0; j < n; ++j) mean[j] /= static_cast<double>(split.count);
        each_reduced_run(split.reduced, first, [&](char* run, int64_t length, int64_t stride) {
          if (!columns) {
            total[0] += reduce().squares[type](length, run, stride, mean[0]);
            return;
          }
          for (int64_t i = 0; i < length; ++i) {
            reduce().column_squares[type](n, run + i * stride, sx, mean, total);
          }
        });
        dispatch_floating(x.dtype, "var", [&](auto tag) {
          using T = typename decltype(tag)::type;
          for (int64_t j = 0; j < n; ++j) {
            *reinterpret_cast<T*>(target + j * so) = static_cast<T>(total[j] / divisor);
          }
        });
      });
  return result;
}

py::object arg_reduce(bool greatest, py::handle input, const py::object& dim, bool keepdim) {
  const char* name = greatest ? "argmax" : "argmin";
  py::object owner, wide_owner;
  const bool everything = dim.is_none();
  Array x = everything ? read_contiguous(input, owner) : read_array(input);
  if (x.dtype == DType::kUint64) refuse_type(name, x.dtype);
  x = widened(x, wide_owner);
  std::vector<int> dims = read_dims(everything ? py::object(py::tuple()) : dim, x.ndim);
  if (everything && x.numel() == 0) {
    throw std::out_of_range(std::string(name) +
                            "(): Expected reduction dim to be specified for input.numel() == 0. "
                            "Specify the reduction dim with the 'dim' argument.");
  }
  refuse_empty(name, x, dims);
  Split split;
  bool folded[kMaxDims];
  split_shape(x, dims, keepdim, split, folded);
  Array out;
  py::object result = new_array(DType::kInt64, split.out_ndim, split.out_shape, out);
  split_walks(x, out, folded, keepdim, split);
  const auto type = static_cast<int>(x.dtype);
  const auto kernel = greatest ? reduce().argmax[type] : reduce().argmin[type];
  MaybeReleaseGil release(x.numel());
  each_result_block(split, 1, [&](int64_t, char* target, char* first, int64_t, int64_t) {
    const int64_t stride = split.reduced.ndim ? split.reduced.strides[0][0] : 0;
    *reinterpret_cast<int64_t*>(target) = kernel(split.count, first, stride);
  });
  return result;
}

void bind_op(py::module_& m, Reduce op, const char* name) {
  m.def(
      name,
      [op, name](py::handle x, const py::object& dim, bool keepdim) {
        return reduce_kernel(op, name, x, dim, keepdim);
      },
      py::arg("x"), py::arg("dim") = py::none(), py::arg("keepdim") = false);
}

}  // namespace

void bind_reduce(py::module_& m) {
  bind_op(m, Reduce::sum, "sum");
  bind_op(m, Reduce::mean, "mean");
  bind_op(m, Reduce::prod, "prod");
  bind_op(m, Reduce::amax, "amax");
  bind_op(m, Reduce::amin, "amin");
  bind_op(m, Reduce::any, "any");
  bind_op(m, Reduce::all, "all");
  m.def("var", in_computed_type(&variance), py::arg("x"), py::arg("dim") = py::none(),
        py::arg("correction") = 1.0, py::arg("keepdim") = false);
  for (const bool greatest : {true, false}) {
    m.def(
        greatest ? "argmax" : "argmin",
        [greatest](py::handle x, const py::object& dim, bool keepdim) {
          return arg_reduce(greatest, x, dim, keepdim);
        },
        py::arg("x"), py::arg("dim") = py::none(), py::arg("keepdim") = false);
  }
}

}  // namespace rush
