/* The probe's four kernels, executed by the simulated driver, against the CPU. */
#include <math.h>
#include <time.h>

#include "selftest.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int sum_errors(unsigned n) {
  size_t bytes = n * sizeof(float);
  float *a = malloc(bytes), *b = malloc(bytes), *c = malloc(bytes);
  for (unsigned i = 0; i < n; i++) {
    a[i] = (float)i * 0.37f;
    b[i] = 1e6f / (float)(i + 1);
  }
  address da = allocate(bytes), db = allocate(bytes), dc = allocate(bytes);
  OK(cuMemcpyHtoD_v2(da, a, bytes));
  OK(cuMemcpyHtoD_v2(db, b, bytes));
  void *arguments[] = {&da, &db, &dc, &n};
  double start = now();
  OK(cuLaunchKernel(kernel("vector_add"), (n + 255) / 256, 1, 1, 256, 1, 1, 0, NULL, arguments, NULL));
  OK(cuStreamSynchronize(NULL));
  printf("vector_add of %u: %.3f s\n", n, now() - start);
  OK(cuMemcpyDtoH_v2(c, dc, bytes));
  int errors = 0;
  for (unsigned i = 0; i < n; i++) {
    float want = a[i] + b[i];
    errors += memcmp(&want, &c[i], sizeof want) != 0;
  }
  OK(cuMemFree_v2(da));
  OK(cuMemFree_v2(db));
  OK(cuMemFree_v2(dc));
  free(a);
  free(b);
  free(c);
  return errors;
}

int product_errors(unsigned n) {
  size_t bytes = (size_t)n * n * sizeof(float);
  float *a = malloc(bytes), *b = malloc(bytes), *c = malloc(bytes);
  for (unsigned i = 0; i < n * n; i++) {
    a[i] = (float)(i % 97) / 13 - 3;
    b[i] = (float)(i % 89) / 7 - 6;
  }
  address da = allocate(bytes), db = allocate(bytes), dc = allocate(bytes);
  OK(cuMemcpyHtoD_v2(da, a, bytes));
  OK(cuMemcpyHtoD_v2(db, b, bytes));
  void *arguments[] = {&da, &db, &dc, &n};
  double start = now();
  OK(cuLaunchKernel(kernel("matrix_product"), n / 16, n / 16, 1, 16, 16, 1, 0, NULL, arguments, NULL));
  OK(cuCtxSynchronize());
  printf("matrix_product of %u: %.3f s\n", n, now() - start);
  OK(cuMemcpyDtoH_v2(c, dc, bytes));
  int errors = 0;
  for (unsigned row = 0; row < n; row++)
    for (unsigned column = 0; column < n; column++) {
      float want = 0;
      for (unsigned k = 0; k < n; k++)
        want = fmaf(a[row * n + k], b[k * n + column], want);
      errors += memcmp(&want, &c[row * n + column], sizeof want) != 0;
    }
  OK(cuMemFree_v2(da));
  OK(cuMemFree_v2(db));
  OK(cuMemFree_v2(dc));
  free(a);
  free(b);
  free(c);
  return errors;
}

static uint64_t word(uint64_t i, uint64_t seed) {
  uint64_t z = (i + seed) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  return z ^ (z >> 27);
}

#define BLOCKS 64
#define THREADS 256

/* Writes the pattern, flips a bit of the word at spoil, unless that is negative, and compares on
   the device and here. */
uint64_t pattern_errors(size_t bytes, uint64_t seed, uint64_t flip, long spoil) {
  uint64_t words = bytes / 8;
  static uint64_t wrongs[BLOCKS * THREADS], firsts[BLOCKS * THREADS];
  address memory = allocate(bytes), dw = allocate(sizeof wrongs), df = allocate(sizeof firsts);
  void *writing[] = {&memory, &words, &seed, &flip}, *checking[] = {&memory, &words, &seed, &flip, &dw, &df};
  double start = now();
  OK(cuLaunchKernel(kernel("pattern_write"), BLOCKS, 1, 1, THREADS, 1, 1, 0, NULL, writing, NULL));
  OK(cuCtxSynchronize());
  double written = now();
  uint64_t *copy = malloc(bytes);
  OK(cuMemcpyDtoH_v2(copy, memory, bytes));
  uint64_t direct = 0, total = 0;
  for (uint64_t i = 0; i < words; i++)
    direct += copy[i] != (word(i, seed) ^ flip);
  if (spoil >= 0) {
    uint64_t bad = copy[spoil] ^ 1ULL << 63;
    OK(cuMemcpyHtoD_v2(memory + 8 * (uint64_t)spoil, &bad, 8));
    direct++;
  }
  double check = now();
  OK(cuLaunchKernel(kernel("pattern_check"), BLOCKS, 1, 1, THREADS, 1, 1, 0, NULL, checking, NULL));
  OK(cuCtxSynchronize());
  printf("pattern over %zu MiB: written in %.3f s, checked in %.3f s\n", bytes >> 20, written - start, now() - check);
  OK(cuMemcpyDtoH_v2(wrongs, dw, sizeof wrongs));
  OK(cuMemcpyDtoH_v2(firsts, df, sizeof firsts));
  for (int t = 0; t < BLOCKS * THREADS; t++) {
    total += wrongs[t];
    if (wrongs[t] && spoil >= 0)
      WANT(firsts[t] == (uint64_t)spoil);
  }
  WANT(total == direct);
  free(copy);
  OK(cuMemFree_v2(memory));
  OK(cuMemFree_v2(dw));
  OK(cuMemFree_v2(df));
  return total;
}

void test_kernels(void) {
  begin();
  WANT(sum_errors(1 << 20) == 0);
  WANT(sum_errors(1) == 0);
  WANT(sum_errors(1000003) == 0);
  WANT(product_errors(256) == 0);
  WANT(product_errors(16) == 0);
  WANT(pattern_errors(28 << 20, 1, 0, -1) == 0);
  WANT(pattern_errors(8000, 99, ~0ULL, 321) == 1);
  end();
}
