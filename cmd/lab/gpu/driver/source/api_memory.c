/* Device and pinned host memory: allocated, copied, set. */
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "memory.h"

/* What every call here works in: the context, and its device's memory. */
static CUresult workplace(struct context **context, struct memory **memory) {
  CUresult result = context_current(context);
  return result ? result : memory_of((*context)->device, memory);
}

API CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  LOCKED;
  struct context *context;
  struct memory *memory;
  CUresult result = workplace(&context, &memory);
  if (result)
    return result;
  if (!address || !bytes)
    return CUDA_ERROR_INVALID_VALUE;
  if (fault_is(FAULT_NO_MEMORY))
    return CUDA_ERROR_OUT_OF_MEMORY;
  return memory_allocate(memory, context, bytes, address);
}

API CUresult cuMemFree_v2(CUdeviceptr address) {
  LOCKED;
  struct context *context;
  struct memory *memory;
  CUresult result = workplace(&context, &memory);
  if (result || !address)
    return result;
  return memory_free(memory, address);
}

API CUresult cuMemGetInfo_v2(size_t *unused, size_t *total) {
  LOCKED;
  struct context *context;
  struct memory *memory;
  CUresult result = workplace(&context, &memory);
  if (result)
    return result;
  if (!unused || !total)
    return CUDA_ERROR_INVALID_VALUE;
  *unused = MEMORY_BYTES - memory->used;
  *total = MEMORY_BYTES;
  return CUDA_SUCCESS;
}

/* Copies; each end is a host pointer or, where that is NULL, a device address. */
static CUresult copy(void *to, CUdeviceptr toDevice, const void *from, CUdeviceptr fromDevice, size_t bytes) {
  LOCKED;
  struct context *context;
  struct memory *memory;
  CUresult result = workplace(&context, &memory);
  if (result || !bytes)
    return result;
  if (!to)
    to = memory_view(memory, toDevice, bytes);
  if (!from)
    from = memory_view(memory, fromDevice, bytes);
  /* A real driver tells a device address in a host pointer's place by itself; here it is a mistake. */
  uint64_t end = MEMORY_BASE(MAX_DEVICES);
  bool mixed = ((uintptr_t)to >= MEMORY_BASE(0) && (uintptr_t)to < end) || ((uintptr_t)from >= MEMORY_BASE(0) && (uintptr_t)from < end);
  if (!to || !from || mixed)
    return CUDA_ERROR_INVALID_VALUE;
  memmove(to, from, bytes);
  fault_drop_bit(memory->bytes, MEMORY_BYTES);
  return CUDA_SUCCESS;
}

API CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) { return copy(NULL, to, from, 0, bytes); }
API CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) { return copy(to, 0, NULL, from, bytes); }
API CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) { return copy(NULL, to, NULL, from, bytes); }

API CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
  LOCKED;
  struct context *context;
  struct memory *memory;
  CUresult result = workplace(&context, &memory);
  if (result || !count)
    return result;
  unsigned char *view = memory_view(memory, to, count);
  if (!view)
    return CUDA_ERROR_INVALID_VALUE;
  memset(view, value, count);
  fault_drop_bit(memory->bytes, MEMORY_BYTES);
  return CUDA_SUCCESS;
}

API CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) {
  LOCKED;
  struct context *context;
  struct memory *memory;
  CUresult result = workplace(&context, &memory);
  if (result || !count)
    return result;
  unsigned char *view = count <= MEMORY_BYTES / sizeof value ? memory_view(memory, to, count * sizeof value) : NULL;
  if (!view || to % sizeof value)
    return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < count; i++)
    memcpy(view + i * sizeof value, &value, sizeof value);
  fault_drop_bit(memory->bytes, MEMORY_BYTES);
  return CUDA_SUCCESS;
}

/* Pinned host memory; known, so that freeing anything else is refused. */
struct pinned {
  struct pinned *next;
  void *bytes;
};
static struct pinned *pinned;

API CUresult cuMemHostAlloc(void **address, size_t bytes, unsigned flags) {
  LOCKED;
  (void)flags; /* portable, mapped, write-combined: all the same here */
  struct context *context;
  CUresult result = context_current(&context);
  if (result)
    return result;
  if (!address || !bytes)
    return CUDA_ERROR_INVALID_VALUE;
  struct pinned *p = malloc(sizeof *p);
  void *memory = NULL;
  if (!p || posix_memalign(&memory, 4096, bytes)) {
    free(p);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *p = (struct pinned){.next = pinned, .bytes = memory};
  pinned = p;
  *address = memory;
  return CUDA_SUCCESS;
}

API CUresult cuMemAllocHost_v2(void **address, size_t bytes) { return cuMemHostAlloc(address, bytes, 0); }

API CUresult cuMemFreeHost(void *address) {
  LOCKED;
  struct context *context;
  CUresult result = context_current(&context);
  if (result)
    return result;
  for (struct pinned **link = &pinned; *link; link = &(*link)->next)
    if ((*link)->bytes == address) {
      struct pinned *p = *link;
      *link = p->next;
      free(p->bytes);
      free(p);
      return CUDA_SUCCESS;
    }
  return CUDA_ERROR_INVALID_VALUE;
}
