/* How products read weights and positions. Weights are [feature / 16][input / 64][16][64], zeros behind the last of each:
 * a block is what a register of AMX holds. Bytes of a column of positions are [input / 4][16][4].
 */
#ifndef LEANNER_BLOCKS_H
#define LEANNER_BLOCKS_H

#include <stdint.h>

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

INLINE long padded(long in) { return (in + DEPTH - 1) / DEPTH * DEPTH; }

#endif
