// Operands of a product. An operand hands out panels, the slices that one tile reads: it may point
// into its own memory or pack into scratch, so that a convolution's patches are an operand like any
// other. What an operand has:
//
//   A (rows):     void panels(Cuts rows, Range depth, T* scratch, RowPanel<T>* out) const
//   B (columns):  void panels(Cuts cols, Range depth, T* scratch, ColumnPanel<T>* out) const
//   both:         bool packs() const, false where at most the last panel is packed
//
// Panel i takes row_panel_size (column_panel_size) elements of the scratch, from i times that on.
#pragma once

#include "kernels/gemm/tile.h"

namespace rush::RUSH_ISA {

inline int64_t ceil_div(int64_t n, int64_t d) { return (n + d - 1) / d; }
inline int64_t round_up(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

// A range cut into `count` nearly equal parts at multiples of `unit`; the first is a longest one.
struct Cuts {
  Range whole;
  int64_t unit, count, each, longer;  // the first `longer` parts have `each` + 1 units

  Cuts(Range range, int64_t step, int64_t parts) : whole(range), unit(step), count(parts) {
    const int64_t units = ceil_div(range.size(), step);
    each = units / parts;
    longer = units % parts;
  }

  Range operator[](int64_t i) const {
    const int64_t end = whole.begin + ((i + 1) * each + (i < longer ? i + 1 : longer)) * unit;
    return {whole.begin + (i * each + (i < longer ? i : longer)) * unit,
            end < whole.end ? end : whole.end};
  }
};

// Element (i, p) at data[i * row + p * depth].
template <class T>
struct RowPanel {
  const T* data;
  int64_t row, depth;
};

// Element (p, j) at data[p * depth + j]; whole vectors are readable, beyond the last column too.
template <class T>
struct ColumnPanel {
  const T* data;
  int64_t depth;
};

// Distance of two rows in a panel packed by rows: an odd number of lines, since rows that are a
// large power of two apart would share the few places of one cache set.
template <class T>
inline int64_t packed_row(int64_t count) {
  constexpr int64_t line = 64 / sizeof(T);
  return (ceil_div(count, line) | 1) * line;
}

// With room for the vector that a short last copy spills over.
template <class T>
inline int64_t row_panel_size(int64_t rows, int64_t count) {
  return rows * packed_row<T>(count) + kLanes<T>;
}

template <class T>
inline int64_t column_panel_size(int64_t count) {
  return kTileCols<T> * count;
}

template <class T>
inline void copy_row(T* target, const T* source, int64_t count) {
  int64_t p = 0;
  for (; p + kLanes<T> <= count; p += kLanes<T>) store(target + p, load(source + p));
  if (p < count) store(target + p, load_partial(source + p, count - p));
}

// Rows of `Vectors` vectors, the last of them with `rest` elements on the source.
template <class T, int Vectors>
inline void copy_strip(const T* source, int64_t source_row, int64_t rest, int64_t count, T* target,
                       int64_t target_row) {
  constexpr int lanes = kLanes<T>, last = (Vectors - 1) * lanes;
  for (int64_t p = 0; p < count; ++p, source += source_row, target += target_row) {
    for (int v = 0; v < last; v += lanes) store(target + v, load(source + v));
    store(target + last, rest == lanes ? load(source + last) : load_partial(source + last, rest));
  }
}

// `count` rows of `width` elements, in ascending order. Whole vectors are
// written: what lies behind a row's end is overwritten by the next row, or is free.
template <class T>
inline void copy_strip(const T* source, int64_t source_row, int64_t width, int64_t count, T* target,
                       int64_t target_row) {
  constexpr int64_t lanes = kLanes<T>;
  if (width <= lanes) {
    copy_strip<T, 1>(source, source_row, width, count, target, target_row);
  } else if (width <= 2 * lanes) {
    copy_strip<T, 2>(source, source_row, width - lanes, count, target, target_row);
  } else if (width <= 3 * lanes) {
    copy_strip<T, 3>(source, source_row, width - 2 * lanes, count, target, target_row);
  } else {  // the right part first: what it spills belongs to the left part of the next row
    copy_strip(source + 2 * lanes, source_row, width - 2 * lanes, count, target + 2 * lanes,
               target_row);
    copy_strip<T, 2>(source, source_row, lanes, count, target, target_row);
  }
}

// Rows copied at a time, panel after panel: long pieces of few rows, as memory likes it.
constexpr int64_t kStripRows = 16;

// The rows of a matrix of any strides. A tile broadcasts the values of A, so rows are packed as
// they lie, one behind the other, and columns likewise: nothing is transposed.
template <class T>
struct StridedRows {
  const T* data;
  int64_t row_stride, depth_stride;
  bool direct;

  bool packs() const { return !direct; }

  void panels(Cuts rows, Range depth, T* scratch, RowPanel<T>* out) const {
    const int64_t size = row_panel_size<T>(rows[0].size(), depth.size());
    const T* source = data + depth.begin * depth_stride;
    if (direct) {
      for (int64_t i = 0; i < rows.count; ++i) {
        out[i] = {source + rows[i].begin * row_stride, row_stride, depth_stride};
      }
    } else if (row_stride == 1) {
      pack_columns(rows, depth.size(), source, scratch, size);
      for (int64_t i = 0; i < rows.count; ++i) out[i] = {scratch + i * size, 1, rows[i].size()};
    } else {
      for (int64_t i = 0; i < rows.count; ++i) {
        pack_rows(rows[i], depth.size(), source, scratch + i * size);
        out[i] = {scratch + i * size, packed_row<T>(depth.size()), 1};
      }
    }
  }

 private:
  void pack_rows(Range rows, int64_t count, const T* source, T* target) const {
    for (int64_t i = rows.begin; i < rows.end; ++i, target += packed_row<T>(count)) {
      const T* row = source + i * row_stride;
      if (depth_stride == 1) {
        copy_row(target, row, count);
      } else {
        for (int64_t p = 0; p < count; ++p) target[p] = row[p * depth_stride];
      }
    }
  }

  void pack_columns(Cuts rows, int64_t count, const T* source, T* scratch, int64_t size) const {
    for (int64_t p = 0; p < count; p += kStripRows) {
      const int64_t deep = count - p < kStripRows ? count - p : kStripRows;
      for (int64_t i = 0; i < rows.count; ++i) {
        const Range panel = rows[i];
        copy_strip(source + p * depth_stride + panel.begin, depth_stride, panel.size(), deep,
                   scratch + i * size + p * panel.size(), panel.size());
      }
    }
  }
};

// The columns of a matrix of any strides.
template <class T>
struct StridedColumns {
  const T* data;
  int64_t depth_stride, col_stride;
  bool direct;  // only with col_stride 1

  bool packs() const { return !direct; }

  void panels(Cuts cols, Range depth, T* scratch, ColumnPanel<T>* out) const {
    const int64_t size = column_panel_size<T>(depth.size());
    const T* source = data + depth.begin * depth_stride;
    for (int64_t j = 0; j < cols.count; ++j) {
      const Range panel = cols[j];
      const int64_t width = round_up(panel.size(), kLanes<T>);
      if (direct && width == panel.size()) {
        out[j] = {source + panel.begin, depth_stride};
        continue;
      }
      T* target = scratch + (direct ? 0 : j * size);
      out[j] = {target, width};
      if (direct || col_stride != 1) pack(panel, depth.size(), source, target, width);
    }
    if (!direct && col_stride == 1) pack_rows(cols, depth.size(), source, scratch, size);
  }

 private:
  void pack_rows(Cuts cols, int64_t count, const T* source, T* scratch, int64_t size) const {
    for (int64_t p = 0; p < count; p += kStripRows) {
      const int64_t deep = count - p < kStripRows ? count - p : kStripRows;
      for (int64_t j = 0; j < cols.count; ++j) {
        const Range panel = cols[j];
        const int64_t width = round_up(panel.size(), kLanes<T>);
        copy_strip(source + p * depth_stride + panel.begin, depth_stride, panel.size(), deep,
                   scratch + j * size + p * width, width);
      }
    }
  }

  void pack(Range cols, int64_t count, const T* source, T* target, int64_t width) const {
    for (int64_t col = cols.begin; col < cols.end; col += kLanes<T>, target += kLanes<T>) {
      const int64_t wide = cols.end - col < kLanes<T> ? cols.end - col : kLanes<T>;
      const T* from = source + col * col_stride;
      if (depth_stride == 1) {
        pack_transposed(from, wide, count, target, width);
        continue;
      }
      for (int64_t p = 0; p < count; ++p) {
        for (int64_t j = 0; j < kLanes<T>; ++j) {
          target[p * width + j] = j < wide ? from[p * depth_stride + j * col_stride] : T(0);
        }
      }
    }
  }

  void pack_transposed(const T* source, int64_t wide, int64_t count, T* target,
                       int64_t width) const {
    constexpr int lanes = kLanes<T>;
    for (int64_t p = 0; p < count; p += lanes) {
      const int64_t deep = count - p < lanes ? count - p : lanes;
      Vector<T> block[lanes];
      if (wide == lanes && deep == lanes) {
#pragma GCC unroll 16
        for (int j = 0; j < lanes; ++j) block[j] = load(source + j * col_stride + p);
      } else {
        for (int j = 0; j < lanes; ++j) {
          block[j] = j < wide ? load_partial(source + j * col_stride + p, deep) : Vector<T>{};
        }
      }
      transpose<T>(block);
      for (int i = 0; i < deep; ++i) store(target + (p + i) * width, block[i]);
    }
  }
};

}  // namespace rush::RUSH_ISA
