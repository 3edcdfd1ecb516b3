/* Attention over packed rows, and what lies between the matrix products of a BERT layer, for CPUs.
 *
 * Vectors are GCC's own, so that the same text compiles to AVX-512, AVX2 or NEON.
 * Nothing here depends on the batch: a row gives the same bits whatever its neighbours are.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <math.h>

#ifdef __AVX512F__
#define LANES 16
#else
#define LANES 8
#endif
#define INLINE static inline __attribute__((always_inline))

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
/* The same wherever they lie in memory. */
typedef float loose_floats __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint8_t loose_bytes __attribute__((vector_size(LANES), aligned(1), may_alias));

INLINE floats load(const float *at) { return *(const loose_floats *)at; }
INLINE void store(float *at, floats values) { *(loose_floats *)at = values; }
INLINE floats spread(float x) { return x - (floats){0}; }
INLINE floats either(ints mask, floats a, floats b) { return (floats)(((ints)a & mask) | ((ints)b & ~mask)); }
INLINE floats larger(floats a, floats b) { return either(a > b, a, b); }
INLINE floats smaller(floats a, floats b) { return either(a < b, a, b); }

/* Lanes change places with those whose number differs in one bit. */
INLINE floats exchanged(floats values, int bit) {
  ints from;
  for (int lane = 0; lane < LANES; lane++) from[lane] = lane ^ bit;
  return __builtin_shuffle(values, from);
}

INLINE float sum_of(floats values) {
  for (int bit = LANES / 2; bit; bit /= 2) values += exchanged(values, bit);
  return values[0];
}

INLINE float largest_of(floats values) {
  for (int bit = LANES / 2; bit; bit /= 2) values = larger(values, exchanged(values, bit));
  return values[0];
}

/* exp(x) for x <= 0: 2^n times a polynomial, the coefficients of Cephes' expf (Moshier 1989). */
INLINE floats exp_of(floats x) {
  x = larger(x, spread(-87.0f));
  /* Adding 1.5 * 2^23 leaves the nearest whole number in the lowest bits. */
  const floats shift = spread(12582912.0f);
  floats n = x * spread(1.44269504f) + shift;
  ints exponent = (ints)n << 23;
  n -= shift;
  floats r = x - n * spread(0.693359375f) - n * spread(-2.12194440e-4f);
  floats p = spread(1.9875691500e-4f);
  p = p * r + spread(1.3981999507e-3f);
  p = p * r + spread(8.3334519073e-3f);
  p = p * r + spread(4.1665795894e-2f);
  p = p * r + spread(1.6666665459e-1f);
  p = p * r + spread(5.0000001201e-1f);
  p = p * r * r + r + spread(1.0f);
  return (floats)((ints)p + exponent);
}

/* floor(x), within 0 to 255. */
INLINE void store_bytes(uint8_t *at, floats x) {
  x = smaller(larger(x, spread(0.0f)), spread(255.0f));
  *(loose_bytes *)at = __builtin_convertvector(__builtin_convertvector(x, ints), loose_bytes);
}

/* LANES rows become LANES columns, `pad` floats apart, each times `scale`. */
INLINE void transpose(const float *const *rows, float *columns, long pad, float scale) {
  floats a[LANES], b[LANES];
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) a[i] = load(rows[i]) * spread(scale);
#pragma GCC unroll 4
  for (int bit = LANES / 2; bit; bit /= 2) {
    ints low, high;
    for (int lane = 0; lane < LANES; lane++) {
      low[lane] = lane & bit ? LANES + (lane ^ bit) : lane;
      high[lane] = lane & bit ? LANES + lane : lane ^ bit;
    }
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++)
      b[i] = i & bit ? __builtin_shuffle(a[i ^ bit], a[i], high) : __builtin_shuffle(a[i], a[i ^ bit], low);
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) a[i] = b[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) store(columns + i * pad, a[i]);
}

/* Queries that share what is loaded of keys and values; as many as registers hold sums of, written out one by one,
 * since compilers keep arrays of vectors in memory. */
#define QUERIES 6
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#define ZERO(i) floats left##i = spread(0.0f), right##i = spread(0.0f);

/* scores[i][key] = query i . key, of the transposed keys. */
INLINE void multiply_keys(const float *const *queries, const float *keys, float *scores, long pad, int size) {
#define QUERY(i) const float *query##i = queries[i];
  EACH(QUERY)
  long key = 0;
  for (; key + 2 * LANES <= pad; key += 2 * LANES) {
    EACH(ZERO)
    const float *at = keys + key;
    for (int d = 0; d < size; d++, at += pad) {
      floats x = load(at), y = load(at + LANES);
#define ADD(i) { floats q = spread(query##i[d]); left##i += q * x; right##i += q * y; }
      EACH(ADD)
#undef ADD
    }
#define PUT(i) store(scores + i * pad + key, left##i); store(scores + i * pad + key + LANES, right##i);
    EACH(PUT)
#undef PUT
  }
  if (key < pad) {
#define ZERO_ONE(i) floats left##i = spread(0.0f);
    EACH(ZERO_ONE)
    const float *at = keys + key;
    for (int d = 0; d < size; d++, at += pad) {
      floats x = load(at);
#define ADD(i) left##i += spread(query##i[d]) * x;
      EACH(ADD)
#undef ADD
    }
#define PUT(i) store(scores + i * pad + key, left##i);
    EACH(PUT)
#undef PUT
  }
}

/* out[i] = sum over the keys of weights[i][key] * values[key], over the sum of the weights. */
INLINE void multiply_values(const float *weights, long pad, const float *const *values, long keys, const float *shares,
                            int queries, float *out, long out_stride, int size) {
#define WEIGHTS(i) const float *weights##i = weights + i * pad;
  EACH(WEIGHTS)
  for (int d = 0; d < size; d += 2 * LANES) {
    EACH(ZERO)
    for (long key = 0; key < keys; key++) {
      floats x = load(values[key] + d), y = load(values[key] + d + LANES);
#define ADD(i) { floats w = spread(weights##i[key]); left##i += w * x; right##i += w * y; }
      EACH(ADD)
#undef ADD
    }
#define PUT(i)                                                       \
  if (i < queries) {                                                 \
    floats share = spread(shares[i]);                                \
    store(out + i * out_stride + d, left##i * share);                \
    store(out + i * out_stride + d + LANES, right##i * share);       \
  }
    EACH(PUT)
#undef PUT
  }
}

/* Weights of the keys of one query, not yet divided by their sum; returns one over that. */
INLINE float exponentials(float *scores, long pad, ints alive) {
  floats last = either(alive, load(scores + pad - LANES), spread(-1e30f));
  floats highest = last;
  for (long key = 0; key < pad - LANES; key += LANES) highest = larger(highest, load(scores + key));
  highest = spread(largest_of(highest));
  floats total = spread(0.0f);
  for (long key = 0; key < pad - LANES; key += LANES) {
    floats weight = exp_of(load(scores + key) - highest);
    total += weight;
    store(scores + key, weight);
  }
  last = either(alive, exp_of(last - highest), spread(0.0f));
  store(scores + pad - LANES, last);
  return 1.0f / sum_of(total + last);
}

struct packed {
  const float *queries, *keys, *values;
  long stride;
  const float *held_keys, *held_values;
  long held, held_stride;
  float *out;
  long out_stride;
};

/* One head of one row, `size` features from `feature` on, `length` positions from `begin` on. */
INLINE void attend(const struct packed *p, long begin, long length, long feature, int size, float scale, float *scratch) {
  if (length <= 0) return;
  long keys = p->held + length, pad = (keys + LANES - 1) / LANES * LANES;
  float *transposed = scratch, *scores = transposed + size * pad;
  const float **key_at = (const float **)(scores + QUERIES * pad), **value_at = key_at + pad;
  for (long key = 0; key < pad; key++) {
    long own = key - p->held;
    /* What pads is multiplied, and then masked. */
    if (key >= keys) own = length - 1;
    key_at[key] = own < 0 ? p->held_keys + key * p->held_stride + feature : p->keys + (begin + own) * p->stride + feature;
    value_at[key] =
        own < 0 ? p->held_values + key * p->held_stride + feature : p->values + (begin + own) * p->stride + feature;
  }
  for (int d = 0; d < size; d += LANES)
    for (long key = 0; key < pad; key += LANES) {
      const float *rows[LANES];
      for (int i = 0; i < LANES; i++) rows[i] = key_at[key + i] + d;
      transpose(rows, transposed + d * pad + key, pad, scale);
    }
  ints lane;
  for (int i = 0; i < LANES; i++) lane[i] = i;
  ints alive = lane < (int)(keys - (pad - LANES));
  for (long position = 0; position < length; position += QUERIES) {
    int number = length - position < QUERIES ? (int)(length - position) : QUERIES;
    const float *query_at[QUERIES];
    float shares[QUERIES];
    for (int i = 0; i < QUERIES; i++)
      query_at[i] = p->queries + (begin + position + (i < number ? i : 0)) * p->stride + feature;
    multiply_keys(query_at, transposed, scores, pad, size);
    for (int i = 0; i < number; i++) shares[i] = exponentials(scores + i * pad, pad, alive);
    multiply_values(scores, pad, value_at, keys, shares, number,
                    p->out + (begin + position) * p->out_stride + feature, p->out_stride, size);
  }
}

/* Softmax attention of rows that lie behind each other, without a mask. Behind `held` positions that all rows see, if
 * there are any. `size` is a multiple of 32. Returns 0, or 1 without memory. */
int leanner_attention(const float *queries, const float *keys, const float *values, long stride, const float *held_keys,
                      const float *held_values, long held_stride, long held, const int64_t *begins,
                      const int64_t *lengths, long rows, long heads, long size, float scale, float *out, long out_stride,
                      int threads) {
  struct packed p = {queries, keys, values, stride, held_keys, held_values, held, held_stride, out, out_stride};
  long longest = 0;
  for (long row = 0; row < rows; row++) longest = lengths[row] > longest ? lengths[row] : longest;
  long pad = (held + longest + LANES - 1) / LANES * LANES;
  size_t bytes = (size_t)pad * ((size + QUERIES) * sizeof(float) + 2 * sizeof(float *));
  /* As aligned_alloc wants it. */
  bytes = (bytes + 64) / 64 * 64;
  int failed = 0;
#pragma omp parallel num_threads(threads)
  {
    float *scratch = aligned_alloc(64, bytes);
    if (!scratch) {
#pragma omp atomic write
      failed = 1;
    }
#pragma omp barrier
    if (!failed) {
#pragma omp for collapse(2) schedule(dynamic, 4)
      for (long row = 0; row < rows; row++)
        for (long head = 0; head < heads; head++) {
          /* Sizes that are known when this is compiled need no counters. */
          if (size == 32)
            attend(&p, begins[row], lengths[row], head * 32, 32, scale, scratch);
          else if (size == 64)
            attend(&p, begins[row], lengths[row], head * 64, 64, scale, scratch);
          else
            attend(&p, begins[row], lengths[row], head * size, (int)size, scale, scratch);
        }
    }
    free(scratch);
  }
  return failed;
}

/* out = LayerNorm(x + residual), and bytes = floor(out * steps + shift) if bytes are wanted. `width` is a multiple of
 * 16. */
void leanner_add_norm(const float *x, const float *residual, const float *gain, const float *bias, float epsilon,
                      long rows, long width, float *out, uint8_t *bytes, const float *steps, const float *shift,
                      int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long row = 0; row < rows; row++) {
    const float *a = x + row * width, *b = residual + row * width;
    float *to = out + row * width;
    floats total = spread(0.0f), squares = spread(0.0f);
    for (long i = 0; i < width; i += LANES) {
      floats y = load(a + i) + load(b + i);
      store(to + i, y);
      total += y;
    }
    floats mean = spread(sum_of(total) / width);
    for (long i = 0; i < width; i += LANES) {
      floats y = load(to + i) - mean;
      squares += y * y;
    }
    floats factor = spread(1.0f / sqrtf(sum_of(squares) / width + epsilon));
    for (long i = 0; i < width; i += LANES) {
      floats y = (load(to + i) - mean) * factor * load(gain + i) + load(bias + i);
      store(to + i, y);
      if (bytes) store_bytes(bytes + row * width + i, y * load(steps + i) + load(shift + i));
    }
  }
}

/* bytes = floor(x * steps + shift), within 0 to 255. `width` is a multiple of 16. */
void leanner_quantize(const float *x, const float *steps, const float *shift, long rows, long width, uint8_t *bytes,
                      int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long row = 0; row < rows; row++)
    for (long i = 0; i < width; i += LANES)
      store_bytes(bytes + row * width + i, load(x + row * width + i) * load(steps + i) + load(shift + i));
}
