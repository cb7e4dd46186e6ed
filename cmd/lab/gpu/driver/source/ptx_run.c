/* Runs kernels: block after block, and within a block group after group of threads, each until it
   ends or comes to a barrier. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "ptx.h"

/* Each type as C's (c_), as what carries its arithmetic modulo 2^n (w_), and as the bits kept (n_). */
typedef uint8_t c_u8, c_b8, n_u8, n_s8;
typedef int8_t c_s8;
typedef uint16_t c_u16, c_b16, n_u16, n_s16, n_b16;
typedef int16_t c_s16;
typedef uint32_t c_u32, c_b32, n_u32, n_s32, n_b32, w_u16, w_s16, w_b16, w_u32, w_s32, w_b32;
typedef int32_t c_s32;
typedef uint64_t c_u64, c_b64, n_u64, n_s64, n_b64, w_u64, w_s64, w_b64;
typedef int64_t c_s64;
typedef float c_f32;
typedef double c_f64;

/* PARTED: the threads of a group want different ways at the next operation. */
enum state { READY, AT_BARRIER, ENDED, PARTED, BAD_ADDRESS, MISALIGNED };

/* So many threads run in step, which shares the cost of each operation's decoding. The slots of a
   group lie together: first slot 0 of each thread, then slot 1 of each. */
#define GROUP 16

struct thread {
  const struct operation *pc;
  union slot *slots; /* slot i is slots[i * GROUP] */
  enum state state;
};

/* What the threads of a block share. */
struct block {
  const struct operation *operations;
  struct memory *memory;
  unsigned char *shared;
  uint64_t sharedBytes;
};

#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* Checks an access and finds its place. */
#define PLACE_GLOBAL(address, bytes) \
  do { \
    uint64_t offset = (address) - base; \
    if (unlikely(offset >= MEMORY_BYTES || offset % GRANULE + (bytes) > valid[offset / GRANULE])) \
      STOP(offset % (bytes) ? MISALIGNED : BAD_ADDRESS); \
    if (unlikely(offset % (bytes))) \
      STOP(MISALIGNED); \
    place = global + offset; \
  } while (0)
#define PLACE_SHARED(address, bytes) \
  do { \
    uint64_t offset = (address); \
    if (unlikely(offset % (bytes))) \
      STOP(MISALIGNED); \
    if (unlikely(offset >= sharedBytes || offset + (bytes) > sharedBytes)) \
      STOP(BAD_ADDRESS); \
    place = shared + offset; \
  } while (0)
#define GLOBAL(address, bytes) \
  unsigned char *place; \
  PLACE_GLOBAL(address, bytes);
#define SHARED(address, bytes) \
  unsigned char *place; \
  PLACE_SHARED(address, bytes);
#define GENERIC(address, bytes) \
  unsigned char *place; \
  if ((address) - SHARED_WINDOW < SHARED_MOST) \
    PLACE_SHARED((address) - SHARED_WINDOW, bytes); \
  else \
    PLACE_GLOBAL(address, bytes);

/* How a loaded value fills its register. */
#define EXTEND_ZERO D.u64 = value
#define EXTEND_SIGN D.u64 = (uint64_t)(int64_t)value
#define EXTEND_b8 EXTEND_ZERO
#define EXTEND_u8 EXTEND_ZERO
#define EXTEND_s8 EXTEND_SIGN
#define EXTEND_b16 EXTEND_ZERO
#define EXTEND_u16 EXTEND_ZERO
#define EXTEND_s16 EXTEND_SIGN
#define EXTEND_b32 EXTEND_ZERO
#define EXTEND_u32 EXTEND_ZERO
#define EXTEND_s32 EXTEND_SIGN
#define EXTEND_b64 EXTEND_ZERO
#define EXTEND_u64 EXTEND_ZERO
#define EXTEND_s64 EXTEND_ZERO
#define EXTEND_f32 D.f32 = value
#define EXTEND_f64 D.f64 = value

/* The interpreter for a group of threads that do the same, and for one that goes its own way. */
#define RUN run_together
#define LANES GROUP
#include "ptx_interpreter.h"
#undef RUN
#undef LANES
#define RUN run_alone
#define LANES 1
#include "ptx_interpreter.h"

/* Runs the threads until each has stopped: in step as long as they agree on the way. */
static enum state run_group(struct thread *threads, unsigned count, const struct block *block) {
  enum state state = PARTED;
  if (count == GROUP) {
    state = run_together(threads, block);
    for (unsigned i = 1; i < count; i++) {
      threads[i].pc = threads[0].pc;
      threads[i].state = state;
    }
  }
  for (unsigned i = 0; i < count && state == PARTED; i++) {
    enum state own = run_alone(&threads[i], block);
    if (own == BAD_ADDRESS || own == MISALIGNED)
      state = own;
  }
  return state;
}

/* Runs all threads of the block, from barrier to barrier. */
static CUresult run_block(const struct block *block, struct thread *threads, unsigned count) {
  for (;;) {
    unsigned waiting = 0;
    for (unsigned i = 0; i < count; i += GROUP) {
      enum state state = run_group(&threads[i], count - i < GROUP ? count - i : GROUP, block);
      if (state == BAD_ADDRESS)
        return CUDA_ERROR_ILLEGAL_ADDRESS;
      if (state == MISALIGNED)
        return CUDA_ERROR_MISALIGNED_ADDRESS;
    }
    for (unsigned i = 0; i < count; i++)
      waiting += threads[i].state == AT_BARRIER;
    if (!waiting)
      return CUDA_SUCCESS;
    /* Some wait where others never come: a GPU might wait for ever. */
    for (unsigned i = 0; i < count; i++)
      if (threads[i].state != AT_BARRIER || threads[i].pc != threads[0].pc)
        return CUDA_ERROR_LAUNCH_FAILED;
  }
}

/* Puts a thread at the function's beginning. Constants stand in its slots already; its registers
   hold what the thread before it left, as a GPU's do. */
static void begin_thread(struct thread *thread, const struct function *function, const unsigned *place, const unsigned *size, unsigned number) {
  union slot *slots = thread->slots;
  slots[SLOT_CTAID_X * GROUP].u64 = place[0];
  slots[SLOT_CTAID_Y * GROUP].u64 = place[1];
  slots[SLOT_CTAID_Z * GROUP].u64 = place[2];
  slots[SLOT_TID_X * GROUP].u64 = number % size[0];
  slots[SLOT_TID_Y * GROUP].u64 = number / size[0] % size[1];
  slots[SLOT_TID_Z * GROUP].u64 = number / size[0] / size[1];
  slots[SLOT_LANEID * GROUP].u64 = number % 32;
  slots[SLOT_WARPID * GROUP].u64 = number / 32;
  thread->pc = function->operations;
  thread->state = READY;
}

/* The parameters' values, read as each ld.param does. */
static void set_parameters(const struct function *function, const struct launch *launch, union slot *slots) {
  for (int i = 0; i < function->parameterSlotCount; i++) {
    const struct parameter_slot *p = &function->parameterSlots[i];
    const unsigned char *from = (const unsigned char *)launch->arguments[p->parameter] + p->offset;
    union slot value = {.u64 = 0};
    switch (p->type) {
    case T_u8: case T_b8: memcpy(&value, from, 1); break;
    case T_s8: memcpy(&value, from, 1); value.u64 = (uint64_t)(int64_t)value.s8; break;
    case T_u16: case T_b16: memcpy(&value, from, 2); break;
    case T_s16: memcpy(&value, from, 2); value.u64 = (uint64_t)(int64_t)value.s16; break;
    case T_u32: case T_b32: case T_f32: memcpy(&value, from, 4); break;
    case T_s32: memcpy(&value, from, 4); value.u64 = (uint64_t)(int64_t)value.s32; break;
    default: memcpy(&value, from, 8);
    }
    slots[p->slot] = value;
  }
}

/* What all threads of the launch have in common. */
static void set_initial(const struct function *function, const struct launch *launch, union slot *slots) {
  memcpy(slots, function->initial, (size_t)function->slotCount * sizeof *slots);
  for (int i = 0; i < 3; i++) {
    slots[SLOT_NTID_X + i].u64 = launch->block[i];
    slots[SLOT_NCTAID_X + i].u64 = launch->grid[i];
  }
  set_parameters(function, launch, slots);
}

/* The threads of a block and their slots. A function without barriers ends one group before the
   next begins, and all use the same slots. */
static CUresult make_threads(const struct function *function, const struct launch *launch, unsigned count, struct thread **threads, union slot **slots) {
  size_t slotCount = (size_t)function->slotCount, groups = function->barrier ? (count + GROUP - 1) / GROUP : 1;
  union slot *initial = calloc(slotCount, sizeof *initial);
  *threads = calloc(count, sizeof **threads);
  *slots = calloc(groups * slotCount * GROUP, sizeof **slots);
  if (!initial || !*threads || !*slots) {
    free(initial);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  set_initial(function, launch, initial);
  for (size_t i = 0; i < groups * slotCount * GROUP; i++)
    (*slots)[i] = initial[i / GROUP % slotCount];
  free(initial);
  for (unsigned i = 0; i < count; i++)
    (*threads)[i].slots = *slots + (function->barrier ? i / GROUP : 0) * slotCount * GROUP + i % GROUP;
  return CUDA_SUCCESS;
}

/* Runs all threads of the block at that place of the grid: together if they wait for each other. */
static CUresult run_place(const struct function *function, const struct launch *launch, const struct block *block, struct thread *threads, unsigned count, const unsigned *place) {
  unsigned together = function->barrier ? count : GROUP;
  CUresult result = CUDA_SUCCESS;
  for (unsigned i = 0; i < count && !result; i += together) {
    unsigned here = count - i < together ? count - i : together;
    for (unsigned t = i; t < i + here; t++)
      begin_thread(&threads[t], function, place, launch->block, t);
    result = run_block(block, &threads[i], here);
  }
  return result;
}

CUresult ptx_run(const struct function *function, const struct launch *launch, struct memory *memory) {
  struct thread *threads;
  union slot *slots;
  unsigned count = launch->block[0] * launch->block[1] * launch->block[2], place[3];
  uint64_t sharedBytes = function->shared + launch->dynamicShared;
  struct block block = {function->operations, memory, calloc(1, sharedBytes + 1), sharedBytes};
  CUresult result = make_threads(function, launch, count, &threads, &slots);
  if (!block.shared)
    result = CUDA_ERROR_OUT_OF_MEMORY;
  for (place[2] = 0; place[2] < launch->grid[2] && !result; place[2]++)
    for (place[1] = 0; place[1] < launch->grid[1] && !result; place[1]++)
      for (place[0] = 0; place[0] < launch->grid[0] && !result; place[0]++)
        result = run_place(function, launch, &block, threads, count, place);
  free(block.shared);
  free(threads);
  free(slots);
  return result;
}
