/* Products of int8 weights and uint8 columns of positions, and what is made of them: floats, bytes behind a GELU, or a
 * sum. Where the CPU has AMX and the kernel lets this process use it, sixteen features are multiplied with sixteen
 * positions at once, else one feature with sixteen positions. Sums are whole numbers: both give the same.
 *
 * Weights are [feature / 16][input / 64][16][64], zeros behind the last of each: a block is what a register of AMX holds.
 */
#ifndef LEANNER_PRODUCTS_H
#define LEANNER_PRODUCTS_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <sys/syscall.h>
#include <unistd.h>

#define INLINE static inline __attribute__((always_inline))
#define LANES 16
/* What a product without AMX makes at a time: features, and at most columns; their sums fill 24 of 32 registers. */
#define TILE 8
#define COLUMNS 3
/* Features and inputs of a block of weights. */
#define ROWS 16
#define DEPTH 64
/* What may be read, and is multiplied by 0, behind the bytes of the last column. */
#define SLACK (DEPTH * LANES)

/* u = x W^T as integers, `scale` and `bias` make floats of it. */
struct product {
  const int8_t *weights;
  /* Minus the zero point of the input times the sum of weights. */
  const int32_t *start;
  const float *scale, *bias;
  long in, out;
};

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

INLINE long padded(long in) { return (in + DEPTH - 1) / DEPTH * DEPTH; }

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
/* Blocks of features and columns that are multiplied with each other: sums are in registers 0 to 3, weights in 4 and 5,
 * positions in 6 and 7. */
#define SIDE 2

struct tile_config {
  uint8_t palette, start, none[14];
  uint16_t bytes[16];
  uint8_t rows[16];
} __attribute__((packed, aligned(64)));

/* Whether the kernel lets this process use the registers: they are more to save, so that it must be asked. */
static int has_tiles(void) {
  static int found = 0;
  int now = __atomic_load_n(&found, __ATOMIC_RELAXED);
  if (!now) {
    const long request = 0x1023, data_of_tiles = 18; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    now = syscall(SYS_arch_prctl, request, data_of_tiles) ? -1 : 1;
    __atomic_store_n(&found, now, __ATOMIC_RELAXED);
  }
  return now > 0;
}

/* Registers of 16 rows of 64 bytes. What this thread had before is left in `before`. */
static void begin_tiles(struct tile_config *before) {
  struct tile_config own = {.palette = 1};
  for (int i = 0; i < 8; i++) own.bytes[i] = DEPTH, own.rows[i] = ROWS;
  __asm__ volatile("sttilecfg %0" : "=m"(*before));
  __asm__ volatile("ldtilecfg %0" ::"m"(own));
}

static void end_tiles(const struct tile_config *before) {
  if (before->palette)
    __asm__ volatile("ldtilecfg %0" ::"m"(*before));
  else
    __asm__ volatile("tilerelease");
}

#define TILE_LOAD(tile, at) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(at), "r"(64L) : "memory")
#define TILE_STORE(tile, at) \
  __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(at), "r"(SIDE * LANES * sizeof(int32_t)) : "memory")
#define TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile ::)
/* Signed bytes times unsigned ones. */
#define TILE_ADD(sums, weights, bytes) \
  __asm__ volatile("tdpbsud %%tmm" #bytes ", %%tmm" #weights ", %%tmm" #sums ::)

/* sums[feature][column] of `features` blocks of features and `columns` columns. */
INLINE void multiply_tiles(const uint8_t *bytes, const struct product *p, long feature, int features, int columns,
                           int32_t sums[SIDE * ROWS][SIDE][LANES]) {
  const long deep = padded(p->in);
  const int8_t *a = p->weights + feature * deep, *b = a + ROWS * deep;
  const uint8_t *x = bytes, *y = x + p->in * LANES;
  TILE_ZERO(0);
  if (columns > 1) TILE_ZERO(1);
  if (features > 1) TILE_ZERO(2);
  if (features > 1 && columns > 1) TILE_ZERO(3);
  for (long k = 0; k < deep; k += DEPTH) {
    TILE_LOAD(4, a + k * ROWS);
    TILE_LOAD(6, x + k * LANES);
    TILE_ADD(0, 4, 6);
    if (columns > 1) {
      TILE_LOAD(7, y + k * LANES);
      TILE_ADD(1, 4, 7);
    }
    if (features > 1) {
      TILE_LOAD(5, b + k * ROWS);
      TILE_ADD(2, 5, 6);
      if (columns > 1) TILE_ADD(3, 5, 7);
    }
  }
  TILE_STORE(0, sums[0][0]);
  if (columns > 1) TILE_STORE(1, sums[0][1]);
  if (features > 1) TILE_STORE(2, sums[ROWS][0]);
  if (features > 1 && columns > 1) TILE_STORE(3, sums[ROWS][1]);
}

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
#else
struct tile_config {
  int none;
};
static int has_tiles(void) { return 0; }
static void begin_tiles(struct tile_config *before) { (void)before; }
static void end_tiles(const struct tile_config *before) { (void)before; }
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
