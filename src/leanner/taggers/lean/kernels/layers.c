/* A BERT encoder with int8 weights and known input ranges, for CPUs with AVX-512 VNNI.
 *
 * A thread takes whole rows, so many that what it computes of them stays in its cache, through all layers. No thread
 * waits for another, and no row sees what lies in other rows.
 *
 * Positions are the lanes of a vector: 16 of them beside each other, "a column". So weights, scales and shifts are
 * scalars for all lanes, LayerNorm and softmax add up vector by vector, and nothing is transposed. Floats of a column are
 * [feature][16], bytes [feature / 4][16][4], as products take them.
 */
#ifndef __AVX512VNNI__
#error "expected a CPU with AVX-512 VNNI"
#endif

#include "products.h"

#include <stdlib.h>

#include <math.h>

/* Columns of a block, if no row is longer. */
#define BLOCK 12

/* bytes = floor(x * steps + shift) */
struct grid {
  const float *steps, *shift;
};

/* Of each row bytes and their scale. */
struct table {
  const int8_t *rows;
  const float *scale;
};

struct embedding {
  struct table words, positions, types;
  const float *gain, *bias;
  struct grid next;
  float epsilon;
};

struct layer {
  struct product query, key, value, output, first, second;
  const float *attention_gain, *attention_bias, *gain, *bias;
  float attention_epsilon, epsilon;
  struct grid attended, normed, next;
  float made_steps, made_shift;
  long heads;
};

struct held {
  const float *keys, *values;
};

/* 2^x for x <= 0, relatively within 2e-7: a polynomial of what is behind the point, fitted by least maximum. Below 2^-100
 * products would be denormal, which takes long, and add nothing to sums of 1 and more. */
INLINE __m512 power_of_two(__m512 x) {
  x = _mm512_max_ps(x, spread(-100.0f));
  __m512 r = _mm512_reduce_ps(x, 1);
  __m512 p = spread(0.001877576229f);
  p = fused(p, r, spread(0.008989341557f));
  p = fused(p, r, spread(0.05582631752f));
  p = fused(p, r, spread(0.2401536107f));
  p = fused(p, r, spread(0.6931530833f));
  p = fused(p, r, spread(0.9999999404f));
  return _mm512_scalef_ps(p, x);
}

/* LayerNorm of a column in place, and its bytes if there is a grid. */
static void normalize(float *x, long width, const float *gain, const float *bias, float epsilon, const struct grid *grid,
                      uint8_t *bytes) {
  __m512 totals[4] = {spread(0.0f), spread(0.0f), spread(0.0f), spread(0.0f)}, squares[4];
  for (long i = 0; i < width; i += 4)
    for (int j = 0; j < 4; j++) totals[j] = _mm512_add_ps(totals[j], _mm512_loadu_ps(x + (i + j) * LANES));
  __m512 mean = _mm512_add_ps(_mm512_add_ps(totals[0], totals[1]), _mm512_add_ps(totals[2], totals[3]));
  mean = _mm512_div_ps(mean, spread((float)width));
  for (int j = 0; j < 4; j++) squares[j] = spread(0.0f);
  for (long i = 0; i < width; i += 4)
    for (int j = 0; j < 4; j++) {
      __m512 y = _mm512_sub_ps(_mm512_loadu_ps(x + (i + j) * LANES), mean);
      squares[j] = fused(y, y, squares[j]);
    }
  __m512 variance = _mm512_add_ps(_mm512_add_ps(squares[0], squares[1]), _mm512_add_ps(squares[2], squares[3]));
  variance = _mm512_add_ps(_mm512_div_ps(variance, spread((float)width)), spread(epsilon));
  __m512 factor = _mm512_div_ps(spread(1.0f), _mm512_sqrt_ps(variance));
  for (long i = 0; i < width; i += 4) {
    __m512 made[4];
    for (int j = 0; j < 4; j++) {
      __m512 y = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + (i + j) * LANES), mean), factor);
      y = fused(y, spread(gain[i + j]), spread(bias[i + j]));
      _mm512_storeu_ps(x + (i + j) * LANES, y);
      if (bytes) made[j] = scaled(y, grid->steps[i + j], grid->shift[i + j]);
    }
    if (bytes) put_bytes(bytes + i * LANES, made[0], made[1], made[2], made[3]);
  }
}

/* `columns` columns of queries of one row, whose scores are exponents of two, against `keys` keys: out[feature][query]. Transposed keys and values are
 * [feature][key], `pad` floats apart, queries and results `stride`; `size` is a multiple of TILE. */
INLINE void attend(const float *queries, const float *keys, const float *values, long number, long pad, long size,
                   long stride, int columns, float *scores, float *out) {
  const int width = columns * LANES;
  __m512 highest[COLUMNS];
  for (int c = 0; c < columns; c++) highest[c] = spread(-1e30f);
  for (long key = 0; key < number; key += TILE) {
#define BEGIN(i) __m512 a##i = spread(0.0f), b##i = a##i, c##i = a##i;
    EACH(BEGIN)
    for (long d = 0; d < size; d++) {
      const float *query = queries + d * stride, *at = keys + d * pad + key;
      __m512 u = _mm512_loadu_ps(query), v = u, t = u;
      if (columns > 1) v = _mm512_loadu_ps(query + LANES);
      if (columns > 2) t = _mm512_loadu_ps(query + 2 * LANES);
#define ADD(i)                                          \
  {                                                     \
    __m512 k = spread(at[i]);                           \
    a##i = fused(u, k, a##i);                           \
    if (columns > 1) b##i = fused(v, k, b##i);          \
    if (columns > 2) c##i = fused(t, k, c##i);          \
  }
      EACH(ADD)
#undef ADD
    }
#define PUT(i)                                                                           \
  if (key + i < number) {                                                                \
    float *to = scores + (key + i) * width;                                              \
    _mm512_storeu_ps(to, a##i), highest[0] = _mm512_max_ps(highest[0], a##i);            \
    if (columns > 1) _mm512_storeu_ps(to + LANES, b##i), highest[1] = _mm512_max_ps(highest[1], b##i); \
    if (columns > 2) _mm512_storeu_ps(to + 2 * LANES, c##i), highest[2] = _mm512_max_ps(highest[2], c##i); \
  }
    EACH(PUT)
#undef PUT
  }
  __m512 share[COLUMNS];
  for (int c = 0; c < columns; c++) {
    __m512 total = spread(0.0f);
    for (long key = 0; key < number; key++) {
      float *at = scores + key * width + c * LANES;
      __m512 weight = power_of_two(_mm512_sub_ps(_mm512_loadu_ps(at), highest[c]));
      total = _mm512_add_ps(total, weight);
      _mm512_storeu_ps(at, weight);
    }
    share[c] = _mm512_div_ps(spread(1.0f), total);
  }
  for (long d = 0; d < size; d += TILE) {
    EACH(BEGIN)
#undef BEGIN
    const float *at = values + d * pad;
    for (long key = 0; key < number; key++) {
      const float *weight = scores + key * width;
      __m512 u = _mm512_loadu_ps(weight), v = u, t = u;
      if (columns > 1) v = _mm512_loadu_ps(weight + LANES);
      if (columns > 2) t = _mm512_loadu_ps(weight + 2 * LANES);
#define ADD(i)                                          \
  {                                                     \
    __m512 x = spread(at[i * pad + key]);               \
    a##i = fused(u, x, a##i);                           \
    if (columns > 1) b##i = fused(v, x, b##i);          \
    if (columns > 2) c##i = fused(t, x, c##i);          \
  }
      EACH(ADD)
#undef ADD
    }
#define PUT(i)                                                                                          \
  {                                                                                                     \
    float *to = out + (d + i) * stride;                                                                 \
    _mm512_storeu_ps(to, _mm512_mul_ps(a##i, share[0]));                                                \
    if (columns > 1) _mm512_storeu_ps(to + LANES, _mm512_mul_ps(b##i, share[1]));                       \
    if (columns > 2) _mm512_storeu_ps(to + 2 * LANES, _mm512_mul_ps(c##i, share[2]));                   \
  }
    EACH(PUT)
#undef PUT
  }
}

/* What a thread works on; sizes are of the largest block. */
struct room {
  float *hidden, *row, *parts, *out, *keys, *values, *scores;
  uint8_t *given, *attended, *inner;
};

struct job {
  const struct embedding *embedding;
  const struct layer *layers;
  long depth, width;
  const struct held *held;
  long before;
  /* Whether AMX may be used. */
  int tiles;
  const int64_t *ids, *begins, *lengths, *wanted;
  float *result;
};

struct block {
  /* Rows, and places in `wanted`. */
  long row, rows, want, wants;
};

/* Floats from a feature to the next one: room for what is read and written behind a row, and an odd number of cache
 * lines, which keeps features out of each other's way in the cache. */
INLINE long stride_of(long columns) { return ((columns + 1) | 1) * LANES; }
INLINE long pad_of(long keys) { return (((keys + LANES - 1) / LANES + 1) | 1) * LANES; }

static void attention(const struct job *job, const struct layer *l, const struct held *held, const struct block *block,
                      const struct room *room, long columns) {
  const long size = l->query.out / l->heads, stride = stride_of(columns);
  const long start = job->begins[block->row];
  long longest = 0;
  for (long row = block->row; row < block->row + block->rows; row++)
    longest = job->lengths[row] > longest ? job->lengths[row] : longest;
  const long before = held ? job->before : 0;
  const long pad = pad_of(before + longest);
  float *queries = room->parts, *keys = queries + size * stride, *values = keys + size * stride;
  const struct product *products[3] = {&l->query, &l->key, &l->value};
  for (long head = 0; head < l->heads; head++) {
    for (int part = 0; part < 3; part++) {
      const struct target target = {.kind = FLOATS, .floats = room->parts + part * size * stride, .stride = stride};
      make_all(room->given, products[part], head * size, (head + 1) * size, columns, job->tiles, target);
    }
    for (long key = 0; key < before; key++)
      for (long d = 0; d < size; d++) {
        room->keys[d * pad + key] = held->keys[key * l->key.out + head * size + d];
        room->values[d * pad + key] = held->values[key * l->key.out + head * size + d];
      }
    for (long row = block->row; row < block->row + block->rows; row++) {
      const long begin = job->begins[row] - start, length = job->lengths[row];
      for (long d = 0; d < size; d++) {
        float *key = room->keys + d * pad + before, *value = room->values + d * pad + before;
        for (long i = 0; i < length; i += LANES) {
          _mm512_storeu_ps(key + i, _mm512_loadu_ps(keys + d * stride + begin + i));
          _mm512_storeu_ps(value + i, _mm512_loadu_ps(values + d * stride + begin + i));
        }
      }
      for (long i = 0; i < length; i += COLUMNS * LANES) {
        const float *query = queries + begin + i;
        float *out = room->out + begin + i;
        /* What lies behind the row is computed too, and overwritten by the next one. */
        if (length - i > 2 * LANES)
          attend(query, room->keys, room->values, before + length, pad, size, stride, 3, room->scores, out);
        else if (length - i > LANES)
          attend(query, room->keys, room->values, before + length, pad, size, stride, 2, room->scores, out);
        else
          attend(query, room->keys, room->values, before + length, pad, size, stride, 1, room->scores, out);
      }
    }
    for (long c = 0; c < columns; c++)
      for (long d = 0; d < size; d += 4) {
        const float *from = room->out + d * stride + c * LANES;
        const float *steps = l->attended.steps + head * size + d, *shift = l->attended.shift + head * size + d;
        __m512 made[4];
        for (int j = 0; j < 4; j++) made[j] = scaled(_mm512_loadu_ps(from + j * stride), steps[j], shift[j]);
        put_bytes(room->attended + (c * l->query.out + head * size + d) * LANES, made[0], made[1], made[2], made[3]);
      }
  }
}

/* Leave the wanted positions only. */
static long gather(const struct job *job, const struct layer *l, const struct block *block, struct room *room,
                   float *hidden, uint8_t *attended) {
  const long start = job->begins[block->row], inputs = l->output.in;
  for (long i = 0; i < block->wants; i++) {
    const long from = job->wanted[block->want + i] - start, a = from / LANES, b = from % LANES, c = i / LANES, d = i % LANES;
    for (long k = 0; k < job->width; k++)
      hidden[(c * job->width + k) * LANES + d] = room->hidden[(a * job->width + k) * LANES + b];
    for (long k = 0; k < inputs; k += 4)
      memcpy(attended + (c * inputs + k) * LANES + 4 * d, room->attended + (a * inputs + k) * LANES + 4 * b, 4);
  }
  return (block->wants + LANES - 1) / LANES;
}

/* Behind attention: the output layer and the feed-forward block. */
static void finish(const struct job *job, const struct layer *l, float *hidden, const uint8_t *attended,
                   const struct room *room, int last, long columns) {
  float terms[TERMS];
  for (int i = 0; i < TERMS; i++) terms[i] = GELU[i] * l->made_steps;
  const struct target sum = {.kind = SUM, .floats = hidden};
  const struct target inner = {.kind = BYTES, .bytes = room->inner, .terms = terms, .shift = l->made_shift};
  make_all(attended, &l->output, 0, l->output.out, columns, job->tiles, sum);
  for (long c = 0; c < columns; c++)
    normalize(hidden + c * job->width * LANES, job->width, l->attention_gain, l->attention_bias, l->attention_epsilon,
              &l->normed, room->given + c * job->width * LANES);
  make_all(room->given, &l->first, 0, l->first.out, columns, job->tiles, inner);
  make_all(room->inner, &l->second, 0, l->second.out, columns, job->tiles, sum);
  for (long c = 0; c < columns; c++)
    normalize(hidden + c * job->width * LANES, job->width, l->gain, l->bias, l->epsilon, &l->next,
              last ? NULL : room->given + c * job->width * LANES);
}

/* The sum of a position's embeddings, normalized. */
static void embed(const struct job *job, const struct block *block, const struct room *room, long columns) {
  const struct embedding *e = job->embedding;
  const long width = job->width, start = job->begins[block->row];
  for (long row = block->row; row < block->row + block->rows; row++)
    for (long i = 0; i < job->lengths[row]; i++) {
      const long at = job->begins[row] + i, word = job->ids[at], place = job->before + i;
      const int8_t *words = e->words.rows + word * width, *positions = e->positions.rows + place * width;
      const float of_word = e->words.scale[word], of_place = e->positions.scale[place], of_type = e->types.scale[0];
      for (long k = 0; k < width; k++)
        room->row[k] = words[k] * of_word + e->types.rows[k] * of_type + positions[k] * of_place;
      float *to = room->hidden + (at - start) / LANES * width * LANES + (at - start) % LANES;
      for (long k = 0; k < width; k++) to[k * LANES] = room->row[k];
    }
  for (long c = 0; c < columns; c++)
    normalize(room->hidden + c * width * LANES, width, e->gain, e->bias, e->epsilon, &e->next,
              room->given + c * width * LANES);
}

static void run(const struct job *job, const struct block *block, struct room *room) {
  const long start = job->begins[block->row], last_row = block->row + block->rows - 1;
  const long positions = job->begins[last_row] + job->lengths[last_row] - start;
  long columns = (positions + LANES - 1) / LANES;
  embed(job, block, room, columns);
  for (long number = 0; number < job->depth; number++) {
    const struct layer *l = job->layers + number;
    attention(job, l, job->held ? job->held + number : NULL, block, room, columns);
    if (number < job->depth - 1) {
      finish(job, l, room->hidden, room->attended, room, 0, columns);
      continue;
    }
    /* The room of what is not needed any longer. */
    float *hidden = room->hidden + columns * job->width * LANES;
    uint8_t *attended = room->attended + columns * l->output.in * LANES;
    columns = gather(job, l, block, room, hidden, attended);
    finish(job, l, hidden, attended, room, 1, columns);
    for (long i = 0; i < block->wants; i++)
      for (long k = 0; k < job->width; k++)
        job->result[(block->want + i) * job->width + k] = hidden[((i / LANES) * job->width + k) * LANES + i % LANES];
  }
}

/* Rows that lie behind each other, as many as `most` columns hold, from `row` on. */
static struct block block_from(const int64_t *begins, const int64_t *lengths, long rows, long row, long most) {
  struct block block = {row, 1, 0, 0};
  while (row + block.rows < rows &&
         begins[row + block.rows] + lengths[row + block.rows] - begins[row] <= most * LANES)
    block.rows++;
  return block;
}

INLINE long larger(long a, long b) { return a > b ? a : b; }

/* Columns of a block: so few that no thread is without one, where the rows allow it. */
static long columns_of(const int64_t *begins, const int64_t *lengths, long rows, int threads) {
  const long all = (begins[rows - 1] + lengths[rows - 1] - begins[0] + LANES - 1) / LANES;
  const long each = larger(COLUMNS, (all + threads - 1) / threads);
  return each < BLOCK ? each : BLOCK;
}

/* `part` of a piece of memory that is aligned as vectors are. */
static void *cut(char **memory, size_t bytes) {
  void *at = *memory;
  *memory += (bytes + 63) / 64 * 64;
  return at;
}

static size_t divide(struct room *room, char *memory, const struct layer *layers, long depth, long width, long columns,
                     long keys) {
  long inner = 0, heads = 0, size = 0;
  for (long i = 0; i < depth; i++) {
    inner = larger(inner, layers[i].first.out);
    heads = larger(heads, layers[i].query.out);
    size = larger(size, layers[i].query.out / layers[i].heads);
  }
  char *begin = memory;
  room->hidden = cut(&memory, 2 * columns * width * LANES * sizeof(float));
  room->row = cut(&memory, width * sizeof(float));
  room->parts = cut(&memory, 3 * size * stride_of(columns) * sizeof(float));
  room->out = cut(&memory, size * stride_of(columns) * sizeof(float));
  room->keys = cut(&memory, size * pad_of(keys) * sizeof(float));
  room->values = cut(&memory, size * pad_of(keys) * sizeof(float));
  room->scores = cut(&memory, keys * COLUMNS * LANES * sizeof(float));
  room->given = cut(&memory, columns * width * LANES + SLACK);
  room->attended = cut(&memory, 2 * columns * heads * LANES + SLACK);
  room->inner = cut(&memory, columns * inner * LANES + SLACK);
  return memory - begin;
}

/* Whether products are made by AMX here. */
int leanner_has_amx(void) { return has_tiles(); }

/* States of the last layer at the wanted positions, `result` [wanted][width], of the words `ids`, rows behind each other
 * and behind `before` positions that all of them see, `held` of each layer. `wanted` is in order, each position at most
 * once. Returns 0, or 1 without memory. */
int leanner_layers(const struct embedding *embedding, const struct layer *layers, long depth, long width,
                   const int64_t *ids, const int64_t *begins, const int64_t *lengths, long rows, const struct held *held,
                   long before, const int64_t *wanted, long wants, float *result, int threads) {
  struct job job = {embedding, layers, depth, width, held, before, has_tiles(), ids, begins, lengths, wanted, result};
  struct block *blocks = malloc(sizeof(struct block) * (rows + 1));
  if (!blocks) return 1;
  long number = 0, columns = 0, longest = 0;
  const long most = columns_of(begins, lengths, rows, threads);
  for (long row = 0, want = 0; row < rows; row += blocks[number - 1].rows) {
    struct block block = block_from(begins, lengths, rows, row, most);
    const long last = row + block.rows - 1, end = begins[last] + lengths[last];
    block.want = want;
    while (want < wants && wanted[want] < end) want++;
    block.wants = want - block.want;
    columns = larger(columns, (end - begins[row] + LANES - 1) / LANES);
    for (long i = row; i <= last; i++) longest = larger(longest, lengths[i]);
    blocks[number++] = block;
  }
  struct room sizes;
  const size_t bytes = divide(&sizes, NULL, layers, depth, width, columns, before + longest);
  int failed = 0;
#pragma omp parallel num_threads(threads)
  {
    char *memory = NULL;
    struct room room;
    struct tile_config config;
    if (job.tiles) begin_tiles(&config);
#pragma omp for schedule(dynamic, 1)
    for (long i = 0; i < number; i++) {
      if (!memory && (memory = aligned_alloc(64, bytes + 64 - bytes % 64))) {
        /* Lanes without a position are computed too: of no numbers that take long. */
        memset(memory, 0, bytes);
        divide(&room, memory, layers, depth, width, columns, before + longest);
      }
      if (memory) {
        run(&job, blocks + i, &room);
      } else {
#pragma omp atomic write
        failed = 1;
      }
    }
    if (job.tiles) end_tiles(&config);
    free(memory);
  }
  free(blocks);
  return failed;
}
