// Convolution as a product: the matrix of patches is an operand that is packed straight from the
// image, so it never stands in memory as a whole.
#pragma once

#include "kernels/conv.h"
#include "kernels/gemm/block.h"

namespace rush::RUSH_ISA {

template <class T>
inline void zero(T* target, int64_t count) {
  for (int64_t i = 0; i < count; ++i) target[i] = 0;
}

// Some channels of an image with zeros around them. Each row is split into `phases`: the columns
// 0, phases, 2 phases, ..., then 1, phases + 1, ...; so what a convolution of that stride reads for
// neighbouring pixels is contiguous.
template <class T>
class Frame {
 public:
  Frame(int64_t channels, Size2 source, Size2 before, Size2 whole, int64_t phases)
      : channels_(channels),
        source_(source),
        before_(before),
        rows_(whole.h),
        phases_(phases),
        pitch_(ceil_div(whole.w, phases)),
        // A vector's worth behind the end is read, though not used.
        data_(channels * plane() + kLanes<T>) {
    zero(data_.data(), channels * plane() + kLanes<T>);
  }

  int64_t row() const { return phases_ * pitch_; }
  int64_t plane() const { return rows_ * row(); }
  int64_t offset(int64_t channel, int64_t y, int64_t x) const {
    return channel * plane() + y * row() + x % phases_ * pitch_ + x / phases_;
  }
  const T* data() const { return data_.data(); }

  // Only what lies inside the source is written: the zeros around stay.
  void fill(const T* image) {
    const int64_t high = smaller(source_.h, rows_ - before_.h);
    for (int64_t c = 0; c < channels_; ++c) {
      for (int64_t y = 0; y < high; ++y) {
        fill_row(image + (c * source_.h + y) * source_.w, c * plane() + (y + before_.h) * row());
      }
    }
  }

 private:
  void fill_row(const T* source, int64_t start) {
    const int64_t wide = smaller(source_.w, row() - before_.w);
    if (phases_ == 1) {
      T* target = data_.data() + start + before_.w;
      for (int64_t x = 0; x < wide; ++x) target[x] = source[x];
      return;
    }
    for (int64_t phase = 0; phase < phases_; ++phase) {
      T* target = data_.data() + start + phase * pitch_;
      const int64_t first = before_.w > phase ? ceil_div(before_.w - phase, phases_) : 0;
      for (int64_t i = first; i * phases_ + phase - before_.w < wide; ++i) {
        target[i] = source[i * phases_ + phase - before_.w];
      }
    }
  }

  const int64_t channels_;
  const Size2 source_, before_;
  const int64_t rows_, phases_, pitch_;
  Buffer<T> data_;
};

// Element (tap, pixel) is image[offsets[tap] + (pixel / width) * row + pixel % width].
//
// Pixels are copied in runs, one for each line of the image, by whole vectors: what one run writes
// too much is overwritten by the next, and behind the last one there is room.
template <class T>
struct Patches {
  const T* image;
  const int64_t* offsets;
  int64_t width, row;

  bool packs() const { return true; }

  // As B: the taps are the depth, the pixels are the columns.
  void panels(Cuts pixels, Range taps, T* scratch, ColumnPanel<T>* out) const {
    const int64_t size = column_panel_size<T>(taps.size());
    for (int64_t j = 0; j < pixels.count; ++j) {
      const int64_t wide = round_up(pixels[j].size(), kLanes<T>);
      T* target = scratch + j * size;
      out[j] = {target, wide};
      pack(pixels[j], taps, target, wide);
    }
  }

  // As A: the taps are the rows, the pixels are the depth.
  void panels(Cuts taps, Range pixels, T* scratch, RowPanel<T>* out) const {
    const int64_t size = row_panel_size<T>(taps[0].size(), pixels.size());
    const int64_t wide = packed_row<T>(pixels.size());
    for (int64_t i = 0; i < taps.count; ++i) {
      out[i] = {scratch + i * size, wide, 1};
      pack(pixels, taps[i], scratch + i * size, wide);
    }
  }

 private:
  void pack(Range pixels, Range taps, T* target, int64_t target_row) const {
    const int64_t first = pixels.begin % width;
    const T* start = image + pixels.begin / width * row;
    for (int64_t tap = taps.begin; tap < taps.end; ++tap, target += target_row) {
      const T* line = start + offsets[tap];
      int64_t x = first;
      for (int64_t done = 0; done < pixels.size(); line += row, x = 0) {
        const int64_t run = smaller(width - x, pixels.size() - done);
        for (int64_t i = 0; i < run; i += kLanes<T>) store(target + done + i, load(line + x + i));
        done += run;
      }
    }
  }
};

}  // namespace rush::RUSH_ISA
