/* Contexts: made, current, destroyed, waited for. */
#include <stdlib.h>

#include "fault.h"
#include "memory.h"
#include "ptx.h"

static struct context *contexts;
static _Thread_local struct context *current;

static bool alive(const struct context *context) {
  for (struct context *c = contexts; c; c = c->next)
    if (c == context)
      return true;
  return false;
}

CUresult context_current(struct context **context) {
  CUresult result = device_check(0);
  if (result)
    return result;
  if (!current || !alive(current))
    return CUDA_ERROR_INVALID_CONTEXT;
  *context = current;
  return current->broken;
}

static CUresult create(CUdevice device, struct context **context) {
  if (fault_is(FAULT_CRASH))
    fault_crash();
  if (fault_is(FAULT_BUSY))
    return CUDA_ERROR_DEVICE_UNAVAILABLE;
  struct context *c = calloc(1, sizeof *c);
  if (!c)
    return CUDA_ERROR_OUT_OF_MEMORY;
  c->device = device;
  c->next = contexts;
  contexts = c;
  *context = c;
  return CUDA_SUCCESS;
}

static void destroy(struct context *context) {
  struct memory *memory;
  if (!memory_of(context->device, &memory))
    memory_free_owned(memory, context);
  while (context->modules) {
    struct module *next = context->modules->next;
    ptx_free(context->modules);
    context->modules = next;
  }
  struct context **link = &contexts;
  while (*link != context)
    link = &(*link)->next;
  *link = context->next;
  if (current == context)
    current = NULL;
  free(context);
}

API CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device) {
  LOCKED;
  (void)flags; /* how the host waits: nothing to choose here */
  CUresult result = device_check(device);
  if (result)
    return result;
  if (!context)
    return CUDA_ERROR_INVALID_VALUE;
  if ((result = create(device, context)))
    return result;
  current = *context;
  return CUDA_SUCCESS;
}

API CUresult cuCtxDestroy_v2(CUcontext context) {
  LOCKED;
  if (!alive(context) || context->retained)
    return CUDA_ERROR_INVALID_CONTEXT;
  destroy(context);
  return CUDA_SUCCESS;
}

static struct context *primary(CUdevice device) {
  for (struct context *c = contexts; c; c = c->next)
    if (c->retained && c->device == device)
      return c;
  return NULL;
}

API CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  LOCKED;
  CUresult result = device_check(device);
  if (result)
    return result;
  if (!context)
    return CUDA_ERROR_INVALID_VALUE;
  *context = primary(device);
  if (!*context && (result = create(device, context)))
    return result;
  (*context)->retained++;
  return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  LOCKED;
  CUresult result = device_check(device);
  if (result)
    return result;
  struct context *context = primary(device);
  if (!context)
    return CUDA_ERROR_INVALID_CONTEXT;
  if (!--context->retained)
    destroy(context);
  return CUDA_SUCCESS;
}

API CUresult cuCtxSetCurrent(CUcontext context) {
  LOCKED;
  CUresult result = device_check(0);
  if (result)
    return result;
  if (context && !alive(context))
    return CUDA_ERROR_INVALID_CONTEXT;
  current = context;
  return CUDA_SUCCESS;
}

API CUresult cuCtxGetCurrent(CUcontext *context) {
  LOCKED;
  CUresult result = device_check(0);
  if (result)
    return result;
  if (!context)
    return CUDA_ERROR_INVALID_VALUE;
  *context = current && alive(current) ? current : NULL;
  return CUDA_SUCCESS;
}

/* Kernels have run when cuLaunchKernel returned; what is left to do is to tell how they ended. */
static CUresult synchronize(void) {
  struct context *context;
  {
    LOCKED;
    CUresult result = context_current(&context);
    if (result || !context->launched)
      return result;
    if (!fault_is(FAULT_HANG_KERNEL)) {
      context->launched = false;
      return CUDA_SUCCESS;
    }
  }
  fault_hang();
  return CUDA_ERROR_UNKNOWN;
}

API CUresult cuCtxSynchronize(void) { return synchronize(); }

API CUresult cuStreamSynchronize(CUstream stream) {
  if ((uintptr_t)stream > 2) /* beyond the default streams */
    return CUDA_ERROR_INVALID_HANDLE;
  return synchronize();
}
