/* Products of int8 weights and uint8 columns of positions, and what is made of them: floats, bytes behind a GELU, or a
 * sum. By AMX sixteen features are multiplied with sixteen positions at once, else one feature with sixteen positions.
 * Sums are whole numbers: both give the same.
 */
#ifndef LEANNER_PRODUCTS_H
#define LEANNER_PRODUCTS_H

#include "amx.h"
#include "blocks.h"

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

/* What is made of a product. */
enum kind { FLOATS, BYTES, SUM };
struct target {
  enum kind kind;
  /* FLOATS: [feature][position], `stride` floats apart. SUM: a column behind the other, [feature][16], added to. */
  float *floats;
  long stride;
  /* BYTES: of a GELU whose terms are times the steps. */
  uint8_t *bytes;
  const float *terms;
  float shift;
};

INLINE __m512 spread(float x) { return _mm512_set1_ps(x); }
INLINE __m512 fused(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }

/* x Phi(x) within 1.5e-5: (Phi(x) - 1/2) / x is a polynomial of x^2, fitted by least maximum for |x| <= 5; the last
 * one is the half. */
static const float GELU[12] = {0.00227723806f, -0.00627795141f, 0.00702135591f, -0.00832994096f,
                               0.0155478409f,  -0.0242150947f,  0.0317441672f,  -0.0403191857f,
                               0.0514880084f,  -0.0703005195f,  0.141364306f,   0.5f};

#define TERMS (int)(sizeof(GELU) / sizeof(*GELU))
INLINE __m512 near_zero(__m512 x) { return _mm512_min_ps(_mm512_max_ps(x, spread(-5.0f)), spread(5.0f)); }

/* steps x Phi(x) + shift of TILE vectors, side by side, so that none waits for what it has just begun. `terms` are
 * GELU's times the steps. */
INLINE void apply_gelu(__m512 *x, const float *terms, float shift) {
  __m512 s[TILE], p[TILE];
#pragma GCC unroll 8
  for (int i = 0; i < TILE; i++) {
    const __m512 near = near_zero(x[i]);
    s[i] = fused(_mm512_mul_ps(near, near), spread(0.08f), spread(-1.0f));
    p[i] = spread(terms[0]);
  }
#pragma GCC unroll 16
  for (int term = 1; term < TERMS - 1; term++) {
    const __m512 next = spread(terms[term]);
#pragma GCC unroll 8
    for (int i = 0; i < TILE; i++) p[i] = fused(p[i], s[i], next);
  }
#pragma GCC unroll 8
  for (int i = 0; i < TILE; i++)
    x[i] = fused(x[i], fused(near_zero(x[i]), p[i], spread(terms[TERMS - 1])), spread(shift));
}

INLINE __m512 scaled(__m512 x, float steps, float shift) { return fused(x, spread(steps), spread(shift)); }

/* Whole numbers of four features of a column, within 0 to 255. */
INLINE void put_bytes(uint8_t *at, __m512 a, __m512 b, __m512 c, __m512 d) {
  /* What is below is cut off as bytes are made; what is above may be beyond all integers. */
#define WHOLE(x) _mm512_cvttps_epi32(_mm512_min_ps(x, spread(255.0f)))
  const __m512i left = _mm512_packs_epi32(WHOLE(a), WHOLE(b)), right = _mm512_packs_epi32(WHOLE(c), WHOLE(d));
#undef WHOLE
  /* Four bytes of a feature beside each other become one of each feature. */
  const __m512i order = _mm512_set4_epi32(0x0f0b0703, 0x0e0a0602, 0x0d090501, 0x0c080400);
  _mm512_storeu_si512(at, _mm512_shuffle_epi8(_mm512_packus_epi16(left, right), order));
}

/* sums += unsigned bytes times signed ones, four to a lane. GCC copies what its own function for this adds to. */
INLINE void add_products(__m512i *sums, __m512i bytes, __m512i weights) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(*sums) : "v"(bytes), "v"(weights));
}

/* DO(i) of TILE features. */
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

/* sums[feature][column] of TILE features and `columns` columns that lie `in` * LANES bytes apart. */
INLINE void multiply(const uint8_t *bytes, const struct product *p, long feature, int columns, __m512i sums[TILE][COLUMNS]) {
  const int8_t *w = p->weights + feature / ROWS * ROWS * padded(p->in) + feature % ROWS * DEPTH;
  const uint8_t *x = bytes, *y = x + p->in * LANES, *z = y + p->in * LANES;
#define BEGIN(i) __m512i a##i = _mm512_set1_epi32(p->start[feature + i]), b##i = a##i, c##i = a##i;
  EACH(BEGIN)
#undef BEGIN
  for (long depth = 0; depth < p->in; depth += DEPTH, w += ROWS * DEPTH) {
    const long most = p->in - depth < DEPTH ? p->in - depth : DEPTH;
    for (long k = 0; k < most; k += 4) {
      const long at = (depth + k) * LANES;
      __m512i u = _mm512_loadu_si512(x + at), v = u, t = u;
      if (columns > 1) v = _mm512_loadu_si512(y + at);
      if (columns > 2) t = _mm512_loadu_si512(z + at);
#define ADD(i)                                       \
  {                                                  \
    int32_t four;                                    \
    memcpy(&four, w + i * DEPTH + k, 4);             \
    __m512i weight = _mm512_set1_epi32(four);        \
    add_products(&a##i, u, weight);                  \
    if (columns > 1) add_products(&b##i, v, weight); \
    if (columns > 2) add_products(&c##i, t, weight); \
  }
      EACH(ADD)
#undef ADD
    }
  }
#define PUT(i) sums[i][0] = a##i; sums[i][1] = b##i; sums[i][2] = c##i;
  EACH(PUT)
#undef PUT
}

INLINE __m512 float_of(const struct product *p, long feature, __m512i sum) {
  return fused(_mm512_cvtepi32_ps(sum), spread(p->scale[feature]), spread(p->bias[feature]));
}

/* What `target` wants of TILE features from `feature` on, and of `columns` columns from `column` on. */
INLINE void make(const struct target *target, const struct product *p, long from, long feature, long column, int columns,
                 __m512i sums[TILE][COLUMNS]) {
  for (int c = 0; c < columns; c++) {
    if (target->kind == BYTES) {
      __m512 made[TILE];
#pragma GCC unroll 8
      for (int i = 0; i < TILE; i++) made[i] = float_of(p, feature + i, sums[i][c]);
      apply_gelu(made, target->terms, target->shift);
      uint8_t *at = target->bytes + ((column + c) * p->out + feature) * LANES;
      put_bytes(at, made[0], made[1], made[2], made[3]);
      put_bytes(at + 64, made[4], made[5], made[6], made[7]);
      continue;
    }
#pragma GCC unroll 8
    for (int i = 0; i < TILE; i++) {
      const __m512 made = float_of(p, feature + i, sums[i][c]);
      if (target->kind == FLOATS) {
        _mm512_storeu_ps(target->floats + (feature - from + i) * target->stride + (column + c) * LANES, made);
      } else {
        float *at = target->floats + ((column + c) * p->out + feature + i) * LANES;
        _mm512_storeu_ps(at, _mm512_add_ps(made, _mm512_loadu_ps(at)));
      }
    }
  }
}

/* Features `from` to `to` of up to COLUMNS columns, one by one. */
INLINE void make_columns(const uint8_t *bytes, const struct product *p, long from, long to, long column, int columns,
                         const struct target *target) {
  __m512i sums[TILE][COLUMNS];
  for (long feature = from; feature < to; feature += TILE) {
    multiply(bytes + column * p->in * LANES, p, feature, columns, sums);
    make(target, p, from, feature, column, columns, sums);
  }
}

#ifdef __AMX_INT8__
INLINE void make_tiles(const uint8_t *bytes, const struct product *p, long from, long feature, int features, long column,
                       int columns, const struct target *target) {
  int32_t whole[SIDE * ROWS][SIDE][LANES] __attribute__((aligned(64)));
  multiply_tiles(bytes + column * p->in * LANES, p, feature, features, columns, whole);
  for (int begin = 0; begin < features * ROWS; begin += TILE) {
    __m512i sums[TILE][COLUMNS];
#pragma GCC unroll 8
    for (int i = 0; i < TILE; i++)
      for (int c = 0; c < columns; c++)
        sums[i][c] = _mm512_add_epi32(_mm512_set1_epi32(p->start[feature + begin + i]),
                                      _mm512_load_si512(whole[begin + i][c]));
    make(target, p, from, feature + begin, column, columns, sums);
  }
}
#endif

/* Features `from` to `to` of `columns` columns. */
INLINE void make_all(const uint8_t *bytes, const struct product *p, long from, long to, long columns, int tiles,
                     const struct target target) {
#ifdef __AMX_INT8__
  if (tiles && from % ROWS == 0 && to % ROWS == 0) {
    for (long feature = from; feature < to; feature += SIDE * ROWS)
      for (long c = 0; c < columns; c += SIDE) {
        if (feature + ROWS < to) {
          if (c + 1 < columns)
            make_tiles(bytes, p, from, feature, 2, c, 2, &target);
          else
            make_tiles(bytes, p, from, feature, 2, c, 1, &target);
        } else if (c + 1 < columns) {
          make_tiles(bytes, p, from, feature, 1, c, 2, &target);
        } else {
          make_tiles(bytes, p, from, feature, 1, c, 1, &target);
        }
      }
    return;
  }
#endif
  (void)tiles;
  for (long c = 0; c < columns; c += COLUMNS) {
    if (columns - c >= 3)
      make_columns(bytes, p, from, to, c, 3, &target);
    else if (columns - c == 2)
      make_columns(bytes, p, from, to, c, 2, &target);
    else
      make_columns(bytes, p, from, to, c, 1, &target);
  }
}

#endif
