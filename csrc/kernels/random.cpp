#include "kernels/random.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/rejection.h"
#include "parallel.h"
#include "rush/macros.h"

// NOTE [Same seed, same numbers]
// Every stream equals PyTorch 2.13's on the CPU, element for element: which words of the generator
// an element takes, and the arithmetic that follows. Source: comparison with PyTorch, over seeds,
// sizes and types (tests/test_random.py).
// - PyTorch compiles its kernels for several instruction sets as well; those with fused
//   multiplication and addition use it, so `multiply_add` does. Its float32 normals use the
//   polynomials of Cephes where there is AVX2 and the C library elsewhere, and so do ours.
// - PyTorch 2.4 and before drew bernoulli_ and exponential_ from MKL's MCG31 on Intel processors.
//   2.13 has that compiled out: a stream reseeded at each call gave wrong distributions
//   (pytorch#132395). So there is one stream, whatever the processor.
namespace rush::RUSH_ISA {
namespace {

constexpr double kPi = 3.14159265358979323846;
// Elements of Box-Muller work worth a thread.
constexpr int64_t kNormalGrain = 16384;

#if defined(__FMA__) || defined(__aarch64__)
RUSH_HD float multiply_add(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
RUSH_HD double multiply_add(double x, double y, double z) { return __builtin_fma(x, y, z); }
#else
RUSH_HD float multiply_add(float x, float y, float z) { return x * y + z; }
RUSH_HD double multiply_add(double x, double y, double z) { return x * y + z; }
#endif

// --- the generator --------------------------------------------------------------------------

void seed(Generator& g, uint64_t value) {
  g.initial_seed = value;
  g.state[0] = static_cast<uint32_t>(value);
  for (uint32_t i = 1; i < Generator::kWords; ++i) {
    const uint32_t last = g.state[i - 1];
    g.state[i] = 1812433253u * (last ^ (last >> 30)) + i;
  }
  g.left = 1;
  g.next = 0;
  g.has_normal = false;
  g.normal = 0.0;
}

RUSH_HD uint32_t twist(uint32_t high, uint32_t low) {
  return (((high & 0x80000000u) | (low & 0x7fffffffu)) >> 1) ^ (-(low & 1u) & 0x9908b0dfu);
}

void refill(Generator& g) {
  constexpr int kShift = 397;
  constexpr int kRest = Generator::kWords - kShift;
  uint32_t* s = g.state;
  for (int i = 0; i < kRest; ++i) s[i] = s[i + kShift] ^ twist(s[i], s[i + 1]);
  for (int i = kRest; i < Generator::kWords - 1; ++i) s[i] = s[i - kRest] ^ twist(s[i], s[i + 1]);
  s[Generator::kWords - 1] = s[kShift - 1] ^ twist(s[Generator::kWords - 1], s[0]);
  g.left = Generator::kWords + 1;
  g.next = 0;
}

// The next n 32-bit outputs.
void take(Generator& g, uint32_t* out, int64_t n) {
  while (n > 0) {
    if (g.left <= 1) refill(g);
    const int64_t count = n < g.left - 1 ? n : g.left - 1;
    const uint32_t* s = g.state + g.next;
    for (int64_t i = 0; i < count; ++i) {
      uint32_t y = s[i];
      y ^= y >> 11;
      y ^= (y << 7) & 0x9d2c5680u;
      y ^= (y << 15) & 0xefc60000u;
      out[i] = y ^ (y >> 18);
    }
    g.left -= static_cast<int32_t>(count);
    g.next += static_cast<uint32_t>(count);
    out += count;
    n -= count;
  }
}

// A 64-bit output is two 32-bit ones, the high half first.
template <class Word>
constexpr int64_t kHalves = sizeof(Word) / sizeof(uint32_t);

template <class Word>
RUSH_HD Word word_at(const uint32_t* words, int64_t i) {
  if constexpr (kHalves<Word> == 1) {
    return words[i];
  } else {
    return static_cast<uint64_t>(words[2 * i]) << 32 | words[2 * i + 1];
  }
}

template <class Word>
Word take_one(Generator& g) {
  uint32_t words[kHalves<Word>];
  take(g, words, kHalves<Word>);
  return word_at<Word>(words, 0);
}

// Calls f(word i, i) for n outputs, drawn by blocks that stay in the first-level cache.
template <class Word, class F>
RUSH_HD void for_each_word(Generator& g, int64_t n, F f) {
  constexpr int64_t kBlock = 512;
  uint32_t words[kBlock * kHalves<Word>];
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = n - begin < kBlock ? n - begin : kBlock;
    take(g, words, count * kHalves<Word>);
    for (int64_t i = 0; i < count; ++i) f(word_at<Word>(words, i), begin + i);
  }
}

template <class Word, class T, class F>
RUSH_HD void draw(Generator& g, T* out, int64_t n, F f) {
  for_each_word<Word>(g, n, [=](Word word, int64_t i) { out[i] = f(word, i); });
}

// --- uniform variates -----------------------------------------------------------------------

// On [0, 1): the low 24 or 53 bits.
RUSH_HD float unit(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word & 0xffffffu)) * 0x1p-24f;
}
RUSH_HD double unit(uint64_t word) {
  return static_cast<double>(static_cast<int64_t>(word & 0x1fffffffffffffu)) * 0x1p-53;
}

double draw_unit(Generator& g) { return unit(take_one<uint64_t>(g)); }

template <class T>
using WordOf = std::conditional_t<std::is_same_v<T, double>, uint64_t, uint32_t>;

template <class T>
void uniform(Generator& g, void* out, int64_t n, double a, double b) {
  const T low = static_cast<T>(a), high = static_cast<T>(b);
  draw<WordOf<T>>(g, static_cast<T*>(out), n, [=](WordOf<T> word, int64_t) {
    const T x = multiply_add(unit(word), high - low, low);
    return x == high ? low : x;  // rounding must not reach the open end
  });
}

// unit(word) < p, asked of integers: branch-free, and without conversions to float64.
template <class T>
void bernoulli(Generator& g, void* out, int64_t n, double p, double value) {
  const T hit = static_cast<T>(value);
  const auto bound = static_cast<int64_t>(std::ceil(p * 0x1p53));
  draw<uint64_t>(g, static_cast<T*>(out), n, [=](uint64_t word, int64_t) {
    return static_cast<int64_t>(word & 0x1fffffffffffffu) < bound ? hit : T(0);
  });
}

template <class P, class T>
void bernoulli_each(Generator& g, void* out, int64_t n, const void* probabilities) {
  const P* p = static_cast<const P*>(probabilities);
  draw<WordOf<P>>(g, static_cast<T*>(out), n,
                  [=](WordOf<P> word, int64_t i) { return static_cast<T>(unit(word) < p[i]); });
}

// --- normal variates ------------------------------------------------------------------------

#if defined(__AVX2__)

RUSH_HD float from_bits(int32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

RUSH_HD int32_t to_bits(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// ln u on (0, 1]. Source: Cephes, logf; the order of operations is PyTorch's.
RUSH_HD float log_unit(float u) {
  const int32_t bits = to_bits(u);
  float m = from_bits((bits & 0x007fffff) | 0x3f000000);
  const bool low = m < 0.707106781186547524f;
  const float e = static_cast<float>((bits >> 23) - (low ? 127 : 126));
  m = low ? m + m - 1.0f : m - 1.0f;
  const float z = m * m;
  float y = 7.0376836292e-2f;
  y = multiply_add(y, m, -1.1514610310e-1f);
  y = multiply_add(y, m, 1.1676998740e-1f);
  y = multiply_add(y, m, -1.2420140846e-1f);
  y = multiply_add(y, m, 1.4249322787e-1f);
  y = multiply_add(y, m, -1.6668057665e-1f);
  y = multiply_add(y, m, 2.0000714765e-1f);
  y = multiply_add(y, m, -2.4999993993e-1f);
  y = multiply_add(y, m, 3.3333331174e-1f);
  y = multiply_add(y * m, z, e * -2.12194440e-4f);
  y = multiply_add(z, -0.5f, y);
  return multiply_add(e, 0.693359375f, m + y);
}

// Sine and cosine of u turns, u on [0, 1). Source: Cephes, sinf and cosf; the order is PyTorch's.
RUSH_HD void turn(float u, float& sine, float& cosine) {
  float x = static_cast<float>(2 * kPi) * u;
  const int32_t octant = (static_cast<int32_t>(x * 1.27323954473516f) + 1) & ~1;
  const float j = static_cast<float>(octant);
  x = multiply_add(j, -0.78515625f, x);
  x = multiply_add(j, -2.4187564849853515625e-4f, x);
  x = multiply_add(j, -3.77489497744594108e-8f, x);
  const float z = x * x;
  float c = multiply_add(2.443315711809948e-5f, z, -1.388731625493765e-3f);
  c = multiply_add(c, z, 4.166664568298827e-2f);
  c = multiply_add(c * z, z, z * -0.5f) + 1.0f;
  float s = multiply_add(-1.9515295891e-4f, z, 8.3321608736e-3f);
  s = multiply_add(s, z, -1.6666654611e-1f);
  s = multiply_add(s * z, x, x);
  const bool swapped = octant & 2;
  const float sine_size = swapped ? c : s, cosine_size = swapped ? s : c;
  sine = octant & 4 ? -sine_size : sine_size;
  cosine = (octant + 2) & 4 ? -cosine_size : cosine_size;
}

#else

RUSH_HD float log_unit(float u) { return std::log(u); }
RUSH_HD void turn(float u, float& sine, float& cosine) {
  const auto x = static_cast<float>(2 * kPi * u);
  sine = std::sin(x);
  cosine = std::cos(x);
}

#endif

RUSH_HD double log_unit(double u) { return std::log(u); }
RUSH_HD void turn(double u, double& sine, double& cosine) {
  sine = std::sin(2 * kPi * u);
  cosine = std::cos(2 * kPi * u);
}

// Box-Muller on 16 uniform variates in place: pairs j and j + 8. Here PyTorch asks for the fused
// operation by name, whatever the instruction set.
template <class T>
RUSH_HD void box_muller(T* x, T mean, T deviation) {
  T sines[8], cosines[8];
  for (int j = 0; j < 8; ++j) {
    const T radius = std::sqrt(T(-2) * log_unit(T(1) - x[j]));
    T sine, cosine;
    turn(x[j + 8], sine, cosine);
    sines[j] = radius * sine;
    cosines[j] = radius * cosine;
  }
  for (int j = 0; j < 8; ++j) x[j] = std::fma(cosines[j], deviation, mean);
  for (int j = 0; j < 8; ++j) x[j + 8] = std::fma(sines[j], deviation, mean);
}

// For 16 elements and more. A remainder is met by drawing the last 16 again, for their places.
template <class T>
void normal(Generator& g, void* out, int64_t n, double a, double b) {
  T* x = static_cast<T*>(out);
  const T mean = static_cast<T>(a), deviation = static_cast<T>(b);
  uniform<T>(g, x, n, 0.0, 1.0);
  parallel_for(n / 16, kNormalGrain / 16, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) box_muller(x + 16 * i, mean, deviation);
  });
  if (n % 16 != 0) {
    uniform<T>(g, x + n - 16, 16, 0.0, 1.0);
    box_muller(x + n - 16, mean, deviation);
  }
}

double draw_normal(Generator& g, double mean, double deviation) {
  double x = g.normal;
  if (!g.has_normal) {
    const double u1 = draw_unit(g);
    const double u2 = draw_unit(g);
    const double radius = std::sqrt(-2.0 * std::log1p(-u2));
    double sine, cosine;
    turn(u1, sine, cosine);
    g.normal = radius * sine;
    x = radius * cosine;
  }
  g.has_normal = !g.has_normal;
  return multiply_add(x, deviation, mean);
}

template <class T>
void serial_normal(Generator& g, void* out, int64_t n, double mean, double deviation) {
  T* x = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<T>(draw_normal(g, mean, deviation));
}

template <class T>
void log_normal(Generator& g, void* out, int64_t n, double mean, double deviation) {
  T* x = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<T>(std::exp(draw_normal(g, mean, deviation)));
}

// --- other distributions, by inversion in float64 -------------------------------------------

template <class T>
void exponential(Generator& g, void* out, int64_t n, double rate, double) {
  draw<uint64_t>(g, static_cast<T*>(out), n, [=](uint64_t word, int64_t) {
    return static_cast<T>(-1.0 / rate * std::log1p(-unit(word)));
  });
}

template <class T>
void cauchy(Generator& g, void* out, int64_t n, double median, double scale) {
  draw<uint64_t>(g, static_cast<T*>(out), n, [=](uint64_t word, int64_t) {
    return static_cast<T>(multiply_add(scale, std::tan(kPi * (unit(word) - 0.5)), median));
  });
}

template <class T>
void geometric(Generator& g, void* out, int64_t n, double p, double) {
  draw<uint64_t>(g, static_cast<T*>(out), n, [=](uint64_t word, int64_t) {
    return static_cast<T>(std::ceil(std::log(unit(word)) / std::log1p(-p)));
  });
}

// Rates of 10 and more. Source: W. Hoermann, "The transformed rejection method for generating
// Poisson random variables", Insurance: Mathematics and Economics 12 (1993), algorithm PTRS.
double poisson_large(Generator& g, double rate) {
  const double b = 0.931 + 2.53 * std::sqrt(rate);
  const double a = -0.059 + 0.02483 * b;
  const double accept = 0.9277 - 3.6224 / (b - 2.0);
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  for (;;) {
    const double u = draw_unit(g) - 0.5;
    const double v = draw_unit(g);
    const double us = 0.5 - std::fabs(u);
    const double k = std::floor((2.0 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= accept) return k;
    if (k < 0.0 || (us < 0.013 && v > us)) continue;
    const double hat = std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b);
    if (hat <= -rate + k * std::log(rate) - std::lgamma(k + 1.0)) return k;
  }
}

// Products of uniform variates until e^-rate. Source: D. Knuth, TAOCP 2, 3.4.1 F.
double poisson_small(Generator& g, double rate) {
  const double bound = std::exp(-rate);
  double product = 1.0;
  for (double k = 0.0;; k += 1.0) {
    product *= draw_unit(g);
    if (product <= bound) return k;
  }
}

template <class T>
void poisson(Generator& g, void* out, int64_t n, const void* rates) {
  T* x = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) {
    const double rate = static_cast<double>(static_cast<const T*>(rates)[i]);
    x[i] = static_cast<T>(rate >= 10.0  ? poisson_large(g, rate)
                          : rate == 0.0 ? 0.0
                                        : poisson_small(g, rate));
  }
}

template <class T>
void standard_gamma(Generator& g, void* out, int64_t n, const void* alphas) {
  T* x = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) {
    const T value = draw_gamma(
        static_cast<const T*>(alphas)[i], [&] { return draw_unit(g); },
        [&] { return draw_normal(g, 0.0, 1.0); });
    x[i] = value < std::numeric_limits<T>::min() ? std::numeric_limits<T>::min() : value;
  }
}

template <class T>
void binomial(Generator& g, void* out, int64_t n, const void* counts, const void* probabilities) {
  T* x = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) {
    x[i] = draw_binomial(static_cast<const T*>(counts)[i], static_cast<const T*>(probabilities)[i],
                         [&] { return draw_unit(g); });
  }
}

// --- integers and choices -------------------------------------------------------------------

// base + word % range, modulo 2^64; range 0 stands for 2^64.
template <class Word, class T>
void fill_range(Generator& g, T* out, int64_t n, uint64_t range, int64_t base) {
  const auto divisor = static_cast<Word>(range);
  draw<Word>(g, out, n, [=](Word word, int64_t) {
    const uint64_t offset = divisor == 0 ? word : word % divisor;
    return static_cast<T>(static_cast<int64_t>(offset + static_cast<uint64_t>(base)));
  });
}

// From 2^28 on, the remainder of 32 bits would favour the low numbers by some percent.
template <class T>
void randint(Generator& g, void* out, int64_t n, uint64_t range, int64_t base) {
  if (range != 0 && range < uint64_t{1} << 28) {
    fill_range<uint32_t>(g, static_cast<T*>(out), n, range, base);
  } else {
    fill_range<uint64_t>(g, static_cast<T*>(out), n, range, base);
  }
}

// Up to the largest integer, or the last of the consecutive ones that a floating type holds.
template <class T>
void any_integer(Generator& g, void* out, int64_t n, double, double) {
  using Word = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  constexpr int kDigits = std::numeric_limits<T>::digits;
  constexpr uint64_t kRange = (uint64_t{1} << kDigits) + std::is_floating_point_v<T>;
  fill_range<Word>(g, static_cast<T*>(out), n, kRange, 0);
}

// Fisher-Yates; from this size on 32 bits would favour the low numbers visibly, and PyTorch
// shuffles "inside out" with 64.
constexpr int64_t kLargePermutation = UINT32_MAX / 20;

template <class T>
void randperm(Generator& g, void* out, int64_t n) {
  T* x = static_cast<T*>(out);
  if (n >= kLargePermutation) {
    for_each_word<uint64_t>(g, n, [=](uint64_t word, int64_t i) {
      const uint64_t j = word % static_cast<uint64_t>(i + 1);
      x[i] = x[j];
      x[j] = static_cast<T>(i);
    });
    return;
  }
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<T>(i);
  for_each_word<uint32_t>(g, n - 1, [=](uint32_t word, int64_t i) {
    const int64_t j = i + word % static_cast<uint32_t>(n - i);
    const T kept = x[i];
    x[i] = x[j];
    x[j] = kept;
  });
}

// With replacement: a binary search in the cumulated weights for each float64 uniform variate.
template <class T>
void multinomial(Generator& g, int64_t* out, int64_t samples, const void* weights, int64_t rows,
                 int64_t categories, void* work) {
  T* cumulated = static_cast<T*>(work);
  for (int64_t row = 0; row < rows; ++row) {
    const T* w = static_cast<const T*>(weights) + row * categories;
    T sum = 0;
    for (int64_t i = 0; i < categories; ++i) cumulated[i] = sum += w[i];
    for (int64_t i = 0; i < categories; ++i) cumulated[i] /= sum;
    cumulated[categories - 1] = 1;
    for (int64_t k = 0; k < samples; ++k) {
      const double u = draw_unit(g);
      int64_t low = 0, high = categories;
      while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (cumulated[middle] < u) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      out[row * samples + k] = low;
    }
  }
}

// --- the table ------------------------------------------------------------------------------

template <class T>
void enter(RandomKernels& t) {
  constexpr int type = static_cast<int>(DTypeOf<T>::value);
  t.randint[type] = randint<T>;
  t.any_integer[type] = any_integer<T>;
  t.bernoulli[type] = bernoulli<T>;
  t.bernoulli_each[static_cast<int>(DType::kFloat32)][type] = bernoulli_each<float, T>;
  t.bernoulli_each[static_cast<int>(DType::kFloat64)][type] = bernoulli_each<double, T>;
  if constexpr (!std::is_same_v<T, bool>) {
    t.randperm[type] = randperm<T>;
    t.geometric[type] = geometric<T>;
  }
  if constexpr (std::is_floating_point_v<T>) {
    t.uniform[type] = uniform<T>;
    t.normal[type] = normal<T>;
    t.serial_normal[type] = serial_normal<T>;
    t.log_normal[type] = log_normal<T>;
    t.exponential[type] = exponential<T>;
    t.cauchy[type] = cauchy<T>;
    t.poisson[type] = poisson<T>;
    t.standard_gamma[type] = standard_gamma<T>;
    t.binomial[type] = binomial<T>;
    t.multinomial[type] = multinomial<T>;
  }
}

}  // namespace

RandomKernels random_kernels() {
  RandomKernels table = {};
  table.seed = seed;
#define RUSH_ENTER(id, type) enter<type>(table);
  RUSH_COMPUTED(RUSH_ENTER)
#undef RUSH_ENTER
  return table;
}

}  // namespace rush::RUSH_ISA
