/* Kernels launched, and events that measure time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fault.h"
#include "memory.h"
#include "ptx.h"

static bool known(const struct context *context, const struct function *function) {
  for (struct module *m = context->modules; m; m = m->next)
    for (struct function *f = m->functions; f; f = f->next)
      if (f == function)
        return true;
  return false;
}

/* The device's limits, as cuDeviceGetAttribute tells them. */
static bool within_limits(const struct launch *l, const struct function *function) {
  static const unsigned mostGrid[3] = {2147483647, 65535, 65535}, mostBlock[3] = {1024, 1024, 64};
  for (int i = 0; i < 3; i++)
    if (!l->grid[i] || l->grid[i] > mostGrid[i] || !l->block[i] || l->block[i] > mostBlock[i])
      return false;
  return l->block[0] * l->block[1] * l->block[2] <= 1024 && l->dynamicShared <= SHARED_MOST - function->shared;
}

/* What the faults make wrong of the results of our own kernels: vector_add(a, b, c, n) and
   matrix_product(a, b, c, n) write c. */
static void spoil(const struct function *function, const struct launch *launch, struct memory *memory) {
  fault_drop_bit(memory->bytes, MEMORY_BYTES);
  bool product = !strcmp(function->name, "matrix_product");
  if (function->parameterCount != 4 || (!product && strcmp(function->name, "vector_add")))
    return;
  CUdeviceptr c;
  uint32_t n;
  memcpy(&c, launch->arguments[2], sizeof c);
  memcpy(&n, launch->arguments[3], sizeof n);
  uint64_t count = product ? (uint64_t)n * n : n;
  unsigned char *view = memory_view(memory, c, count * sizeof(float));
  if (view && c % sizeof(float) == 0)
    fault_spoil(function->name, (float *)(void *)view, count);
}

API CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ,
                            unsigned dynamicShared, CUstream stream, void **arguments, void **extra) {
  LOCKED;
  struct context *context;
  struct memory *memory;
  CUresult result = context_current(&context);
  if (result || (result = memory_of(context->device, &memory)))
    return result;
  if (extra)
    return CUDA_ERROR_NOT_SUPPORTED;
  if (!known(context, function) || (uintptr_t)stream > 2)
    return CUDA_ERROR_INVALID_HANDLE;
  struct launch launch = {{gridX, gridY, gridZ}, {blockX, blockY, blockZ}, dynamicShared, arguments};
  if (!within_limits(&launch, function) || (function->parameterCount && !arguments))
    return CUDA_ERROR_INVALID_VALUE;
  context->launched = true;
  result = ptx_run(function, &launch, memory);
  if (result == CUDA_ERROR_OUT_OF_MEMORY)
    return result;
  context->broken = result; /* told by the next call that waits, as a GPU does */
  if (!result)
    spoil(function, &launch, memory);
  return CUDA_SUCCESS;
}

struct event {
  struct event *next;
  struct context *context;
  bool recorded;
  struct timespec time;
};
static struct event *events;

/* The link to the event in the list, which ends with NULL. */
static struct event **find_event(const struct event *event) {
  struct event **link = &events;
  while (*link && *link != event)
    link = &(*link)->next;
  return link;
}

API CUresult cuEventCreate(CUevent *event, unsigned flags) {
  LOCKED;
  (void)flags;
  struct context *context;
  CUresult result = context_current(&context);
  if (result)
    return result;
  if (!event)
    return CUDA_ERROR_INVALID_VALUE;
  struct event *e = calloc(1, sizeof *e);
  if (!e)
    return CUDA_ERROR_OUT_OF_MEMORY;
  e->context = context;
  e->next = events;
  *event = events = e;
  return CUDA_SUCCESS;
}

API CUresult cuEventRecord(CUevent event, CUstream stream) {
  LOCKED;
  struct context *context;
  CUresult result = context_current(&context);
  if (result)
    return result;
  if (!*find_event(event) || event->context != context || (uintptr_t)stream > 2)
    return CUDA_ERROR_INVALID_HANDLE;
  clock_gettime(CLOCK_MONOTONIC, &event->time);
  event->recorded = true;
  return CUDA_SUCCESS;
}

API CUresult cuCtxSynchronize(void);

/* Everything recorded is done already; a hanging kernel hangs this, too. */
API CUresult cuEventSynchronize(CUevent event) {
  {
    LOCKED;
    if (!*find_event(event))
      return CUDA_ERROR_INVALID_HANDLE;
  }
  return cuCtxSynchronize();
}

API CUresult cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to) {
  LOCKED;
  struct context *context;
  CUresult result = context_current(&context);
  if (result)
    return result;
  if (!milliseconds)
    return CUDA_ERROR_INVALID_VALUE;
  if (!*find_event(from) || !*find_event(to) || !from->recorded || !to->recorded)
    return CUDA_ERROR_INVALID_HANDLE;
  double seconds = (double)(to->time.tv_sec - from->time.tv_sec) + 1e-9 * (double)(to->time.tv_nsec - from->time.tv_nsec);
  *milliseconds = (float)(1e3 * seconds);
  return CUDA_SUCCESS;
}

API CUresult cuEventDestroy_v2(CUevent event) {
  LOCKED;
  struct event **link = find_event(event);
  if (!*link)
    return CUDA_ERROR_INVALID_HANDLE;
  *link = event->next;
  free(event);
  return CUDA_SUCCESS;
}
