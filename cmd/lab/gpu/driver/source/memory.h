/* Device memory: addresses, allocations, and which bytes may be touched. */
#ifndef MEMORY_H
#define MEMORY_H

#include "driver.h"

#define MEMORY_BYTES (32 * MIB)

/* Device addresses begin above what a process on x86-64 or arm64 Linux can have mapped (2^47), so
   that a host pointer is never taken for one, nor the other way round. Each device has its own. */
#define MEMORY_BASE(device) (0xd00000000000ULL + (uint64_t)(device) * 0x100000000ULL)

/* For a kernel's every access: valid[offset / GRANULE] tells how many bytes of the granule, from
   its beginning, belong to an allocation. An aligned access never crosses a granule. */
#define GRANULE 256

struct memory {
  unsigned char *bytes;
  uint16_t *valid;
  uint64_t base, used;
  struct allocation *first; /* by address */
};

/* The device's memory; CUDA_ERROR_OUT_OF_MEMORY if the host has none for it. */
CUresult memory_of(int device, struct memory **memory);

/* A fresh allocation is full of junk, as a GPU's is. CUDA_ERROR_OUT_OF_MEMORY when it does not fit. */
CUresult memory_allocate(struct memory *memory, struct context *owner, uint64_t bytes, CUdeviceptr *address);

/* CUDA_ERROR_INVALID_VALUE where no allocation begins at the address. */
CUresult memory_free(struct memory *memory, CUdeviceptr address);

/* Frees all that the context allocated. */
void memory_free_owned(struct memory *memory, struct context *owner);

/* The host's view of bytes bytes at the address, NULL if they do not lie within one allocation. */
unsigned char *memory_view(struct memory *memory, CUdeviceptr address, uint64_t bytes);

/* How many bytes of its allocation begin at the address, 0 outside any. */
uint64_t memory_extent(struct memory *memory, CUdeviceptr address);

#endif
