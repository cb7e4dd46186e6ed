/* Device memory, first fit. See memory.h. */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

#include "fault.h"

#define ALIGNMENT 512 /* as NVIDIA's allocations, and a multiple of GRANULE */
#define JUNK 0xA5

struct allocation {
  struct allocation *next;
  struct context *owner;
  uint64_t offset, bytes;
};

static struct memory memories[MAX_DEVICES];

CUresult memory_of(int device, struct memory **memory) {
  struct memory *m = &memories[device];
  if (!m->bytes) {
    unsigned char *bytes = malloc(MEMORY_BYTES);
    uint16_t *valid = calloc(MEMORY_BYTES / GRANULE, sizeof *valid);
    if (!bytes || !valid) {
      free(bytes);
      free(valid);
      return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *m = (struct memory){.bytes = bytes, .valid = valid, .base = MEMORY_BASE(device)};
  }
  *memory = m;
  return CUDA_SUCCESS;
}

static uint64_t rounded(uint64_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* Marks the allocation's bytes as touchable, or, with yes false, as out of bounds. */
static void mark(struct memory *m, const struct allocation *a, bool yes) {
  for (uint64_t at = 0; at < a->bytes; at += GRANULE) {
    uint64_t rest = a->bytes - at;
    m->valid[(a->offset + at) / GRANULE] = yes ? (uint16_t)(rest < GRANULE ? rest : GRANULE) : 0;
  }
}

CUresult memory_allocate(struct memory *m, struct context *owner, uint64_t bytes, CUdeviceptr *address) {
  if (bytes > MEMORY_BYTES)
    return CUDA_ERROR_OUT_OF_MEMORY;
  struct allocation **link = &m->first;
  uint64_t offset = 0;
  while (*link && (*link)->offset - offset < rounded(bytes)) {
    offset = (*link)->offset + rounded((*link)->bytes);
    link = &(*link)->next;
  }
  if (MEMORY_BYTES - offset < rounded(bytes))
    return CUDA_ERROR_OUT_OF_MEMORY;
  struct allocation *a = malloc(sizeof *a);
  if (!a)
    return CUDA_ERROR_OUT_OF_MEMORY;
  *a = (struct allocation){.next = *link, .owner = owner, .offset = offset, .bytes = bytes};
  *link = a;
  m->used += rounded(bytes);
  mark(m, a, true);
  memset(m->bytes + offset, JUNK, bytes);
  fault_drop_bit(m->bytes, MEMORY_BYTES);
  *address = m->base + offset;
  return CUDA_SUCCESS;
}

static void unlink_allocation(struct memory *m, struct allocation **link) {
  struct allocation *a = *link;
  mark(m, a, false);
  m->used -= rounded(a->bytes);
  *link = a->next;
  free(a);
}

CUresult memory_free(struct memory *m, CUdeviceptr address) {
  for (struct allocation **link = &m->first; *link; link = &(*link)->next)
    if (m->base + (*link)->offset == address) {
      unlink_allocation(m, link);
      return CUDA_SUCCESS;
    }
  return CUDA_ERROR_INVALID_VALUE;
}

void memory_free_owned(struct memory *m, struct context *owner) {
  for (struct allocation **link = &m->first; *link;)
    if ((*link)->owner == owner)
      unlink_allocation(m, link);
    else
      link = &(*link)->next;
}

uint64_t memory_extent(struct memory *m, CUdeviceptr address) {
  uint64_t offset = address - m->base; /* huge when below */
  for (struct allocation *a = m->first; a; a = a->next)
    if (offset >= a->offset && offset - a->offset < a->bytes)
      return a->bytes - (offset - a->offset);
  return 0;
}

unsigned char *memory_view(struct memory *m, CUdeviceptr address, uint64_t bytes) {
  uint64_t extent = memory_extent(m, address);
  return extent && bytes <= extent ? m->bytes + (address - m->base) : NULL;
}
