/* Tests the built simulated driver as a program uses it: selftest LIBRARIES KERNELS.PTX [FAULT].
   Without a fault: everything that must work, and every refusal. With one: what that fault must
   show. Says what is wrong and ends with 1, or ends with 0. */
#include <dlfcn.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long long address;
typedef void *handle;

#define CALLS(X) \
  X(cuInit, (unsigned)) \
  X(cuDriverGetVersion, (int *)) \
  X(cuDeviceGetCount, (int *)) \
  X(cuDeviceGet, (int *, int)) \
  X(cuDeviceGetName, (char *, int, int)) \
  X(cuDeviceGetUuid, (unsigned char *, int)) \
  X(cuDeviceGetUuid_v2, (unsigned char *, int)) \
  X(cuDeviceTotalMem_v2, (size_t *, int)) \
  X(cuDeviceGetAttribute, (int *, int, int)) \
  X(cuDevicePrimaryCtxRetain, (handle *, int)) \
  X(cuDevicePrimaryCtxRelease_v2, (int)) \
  X(cuCtxCreate_v2, (handle *, unsigned, int)) \
  X(cuCtxDestroy_v2, (handle)) \
  X(cuCtxSetCurrent, (handle)) \
  X(cuCtxGetCurrent, (handle *)) \
  X(cuCtxSynchronize, (void)) \
  X(cuStreamSynchronize, (handle)) \
  X(cuModuleLoadData, (handle *, const void *)) \
  X(cuModuleLoadDataEx, (handle *, const void *, unsigned, int *, void **)) \
  X(cuModuleUnload, (handle)) \
  X(cuModuleGetFunction, (handle *, handle, const char *)) \
  X(cuMemAlloc_v2, (address *, size_t)) \
  X(cuMemFree_v2, (address)) \
  X(cuMemGetInfo_v2, (size_t *, size_t *)) \
  X(cuMemcpyHtoD_v2, (address, const void *, size_t)) \
  X(cuMemcpyDtoH_v2, (void *, address, size_t)) \
  X(cuMemcpyDtoD_v2, (address, address, size_t)) \
  X(cuMemsetD8_v2, (address, unsigned char, size_t)) \
  X(cuMemsetD32_v2, (address, unsigned, size_t)) \
  X(cuMemHostAlloc, (void **, size_t, unsigned)) \
  X(cuMemAllocHost_v2, (void **, size_t)) \
  X(cuMemFreeHost, (void *)) \
  X(cuLaunchKernel, (handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, handle, void **, void **)) \
  X(cuEventCreate, (handle *, unsigned)) \
  X(cuEventRecord, (handle, handle)) \
  X(cuEventSynchronize, (handle)) \
  X(cuEventElapsedTime, (float *, handle, handle)) \
  X(cuEventDestroy_v2, (handle)) \
  X(cuGetErrorName, (int, const char **)) \
  X(cuGetErrorString, (int, const char **)) \
  X(nvmlInit_v2, (void)) \
  X(nvmlShutdown, (void)) \
  X(nvmlSystemGetDriverVersion, (char *, unsigned)) \
  X(nvmlSystemGetNVMLVersion, (char *, unsigned)) \
  X(nvmlDeviceGetCount_v2, (unsigned *)) \
  X(nvmlDeviceGetHandleByIndex_v2, (unsigned, handle *)) \
  X(nvmlDeviceGetHandleByUUID, (const char *, handle *)) \
  X(nvmlDeviceGetName, (handle, char *, unsigned)) \
  X(nvmlDeviceGetUUID, (handle, char *, unsigned)) \
  X(nvmlDeviceGetTemperature, (handle, unsigned, unsigned *)) \
  X(nvmlDeviceGetEccMode, (handle, unsigned *, unsigned *)) \
  X(nvmlDeviceGetTotalEccErrors, (handle, unsigned, unsigned, unsigned long long *)) \
  X(nvmlDeviceGetCurrentClocksEventReasons, (handle, unsigned long long *)) \
  X(nvmlDeviceGetCurrentClocksThrottleReasons, (handle, unsigned long long *)) \
  X(nvmlDeviceGetPersistenceMode, (handle, unsigned *)) \
  X(nvmlDeviceGetRetiredPagesPendingStatus, (handle, unsigned *)) \
  X(nvmlDeviceGetRemappedRows, (handle, unsigned *, unsigned *, unsigned *, unsigned *)) \
  X(nvmlDeviceGetComputeRunningProcesses_v3, (handle, unsigned *, void *)) \
  X(nvmlDeviceGetMigMode, (handle, unsigned *, unsigned *)) \
  X(nvmlDeviceGetMemoryInfo, (handle, unsigned long long *))

#define X(name, parameters) static int(*name) parameters;
CALLS(X)
#undef X
static const char *(*nvmlErrorString)(int);

static int wrong;

#define WANT(condition) \
  do { \
    if (!(condition)) { \
      fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition); \
      wrong++; \
    } \
  } while (0)
#define GIVES(result, call) \
  do { \
    int got = (call); \
    if (got != (result)) { \
      fprintf(stderr, "line %d: %s gave %d, want %d\n", __LINE__, #call, got, result); \
      wrong++; \
    } \
  } while (0)
#define OK(call) GIVES(0, call)

static void *find(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (!found) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return found;
}

static void open_libraries(const char *directory) {
  char path[4096];
  snprintf(path, sizeof path, "%s/libcuda.so.1", directory);
  void *cuda = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  snprintf(path, sizeof path, "%s/libnvidia-ml.so.1", directory);
  void *nvml = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!cuda || !nvml) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
#define X(name, parameters) *(void **)&name = find(#name[0] == 'c' ? cuda : nvml, #name);
  CALLS(X)
#undef X
  *(void **)&nvmlErrorString = find(nvml, "nvmlErrorString");
}

static char *ptx;

static void read_ptx(const char *path) {
  FILE *file = fopen(path, "r");
  ptx = calloc(1, 1 << 20);
  if (!file || !ptx || !fread(ptx, 1, (1 << 20) - 1, file)) {
    perror(path);
    exit(1);
  }
  fclose(file);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Loads the PTX; where it is refused, log has why. */
static char message[1024];
static int load(handle *module, const char *text) {
  int options[] = {5, 6, 3, 4};
  char info[64];
  void *values[] = {message, (void *)sizeof message, info, (void *)sizeof info};
  message[0] = 0;
  int result = cuModuleLoadDataEx(module, text, 4, options, values);
  WANT(strlen(message) == (size_t)values[1]);
  return result;
}

static handle kernel(const char *name) {
  static handle module;
  handle function = NULL;
  if (!module)
    OK(load(&module, ptx));
  OK(cuModuleGetFunction(&function, module, name));
  GIVES(500, cuModuleGetFunction(&(handle){NULL}, module, "nonesuch"));
  return function;
}

static address allocate(size_t bytes) {
  address a = 0;
  OK(cuMemAlloc_v2(&a, bytes));
  return a;
}

static handle begin(void) {
  handle context = NULL;
  OK(cuInit(0));
  OK(cuDevicePrimaryCtxRetain(&context, 0));
  OK(cuCtxSetCurrent(context));
  return context;
}

/* How many of the sums are wrong. */
static int sum_errors(unsigned n) {
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

static int product_errors(unsigned n) {
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

/* Writes the pattern, flips a bit at spoil if asked to, and gives how many words are found wrong. */
static uint64_t pattern_errors(size_t bytes, uint64_t seed, uint64_t flip, long spoil) {
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

static void healthy_arithmetic(void) {
  WANT(sum_errors(1 << 20) == 0);
  WANT(sum_errors(1) == 0);
  WANT(sum_errors(1000003) == 0);
  WANT(product_errors(256) == 0);
  WANT(product_errors(16) == 0);
  WANT(pattern_errors(28 << 20, 1, 0, -1) == 0);
  WANT(pattern_errors(8000, 99, ~0ULL, 321) == 1);
}

int main(int count, char **arguments) {
  if (count < 3) {
    fprintf(stderr, "usage: selftest LIBRARIES KERNELS.PTX [FAULT]\n");
    return 2;
  }
  open_libraries(arguments[1]);
  read_ptx(arguments[2]);
  begin();
  healthy_arithmetic();
  return wrong ? 1 : 0;
}
