/* Products by the tile registers of AMX, where the CPU has them and the kernel lets this process use them. */
#ifndef LEANNER_AMX_H
#define LEANNER_AMX_H

#include "blocks.h"

#ifdef __AMX_INT8__
#include <sys/syscall.h>
#include <unistd.h>

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

#else
struct tile_config {
  int none;
};
static int has_tiles(void) { return 0; }
static void begin_tiles(struct tile_config *before) { (void)before; }
static void end_tiles(const struct tile_config *before) { (void)before; }
#endif

#endif
