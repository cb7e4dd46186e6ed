/* What the self test's files share: the driver's calls, found in the built libraries, and how a
   wish that is not fulfilled is told. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

#define X(name, parameters) extern int(*name) parameters;
CALLS(X)
#undef X
extern const char *(*nvmlErrorString)(int);

extern int wrong;  /* wishes not fulfilled so far */
extern char *ptx;  /* the kernels' text */

#define WANT(condition) \
  do { \
    if (!(condition)) { \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      wrong++; \
    } \
  } while (0)
#define GIVES(result, call) \
  do { \
    int got_ = (call); \
    if (got_ != (result)) { \
      fprintf(stderr, "%s:%d: %s gave %d, want %d\n", __FILE__, __LINE__, #call, got_, result); \
      wrong++; \
    } \
  } while (0)
#define OK(call) GIVES(0, call)

/* A context on the first device, current, and its kernels. */
void begin(void);
void end(void);
handle kernel(const char *name);

/* Loads PTX; message has the compiler's words. */
int load(handle *module, const char *text);
extern char message[1024];

address allocate(size_t bytes);

/* Run a kernel and say how many of its results are not the CPU's. */
int sum_errors(unsigned n);
int product_errors(unsigned n);
uint64_t pattern_errors(size_t bytes, uint64_t seed, uint64_t flip, long spoil);

/* The tests. */
void test_devices(void);
void test_memory(void);
void test_nvml(void);
void test_kernels(void);
void test_accesses(void);
void test_instructions(void);
void test_refusals(void);
void test_fault(const char *name);

#endif
