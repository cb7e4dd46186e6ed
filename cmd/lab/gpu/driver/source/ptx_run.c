/* Runs kernels: block after block, and within a block thread after thread, each until it ends or
   comes to a barrier. */
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

enum state { READY, AT_BARRIER, ENDED, BAD_ADDRESS, MISALIGNED };

struct thread {
  const struct operation *pc;
  union slot *slots;
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

/* Runs the thread until it stops. Each operation jumps to the next one's code itself, which is
   what makes this fast. */
static enum state run_thread(struct thread *thread, const struct block *block) {
  static const void *const code[] = {
#define OP(id, text, o0, o1, o2, o3, ...) &&code_##id,
#include "ptx_ops.def"
#undef OP
  };
  const struct operation *pc = thread->pc;
  union slot *const slots = thread->slots;
  const struct operation *const operations = block->operations;
  unsigned char *const global = block->memory->bytes, *const shared = block->shared;
  const uint16_t *const valid = block->memory->valid;
  const uint64_t base = block->memory->base, sharedBytes = block->sharedBytes;

#define R(i) slots[pc->slot[i]]
#define D R(0)
#define A R(1)
#define B R(2)
#define C R(3)
#define OFFSET ((uint64_t)(int64_t)pc->offset)
#define STOP(why) \
  do { \
    thread->pc = pc + 1; \
    return thread->state = (why); \
  } while (0)
#define JUMP \
  do { \
    pc = operations + pc->offset; \
    goto *code[pc->code]; \
  } while (0)
#define OP(id, text, o0, o1, o2, o3, ...) \
  code_##id : { \
    __VA_ARGS__; \
    pc++; \
    goto *code[pc->code]; \
  }

  goto *code[pc->code];
#include "ptx_ops.def"
#undef OP
}

/* Runs all threads of the block, from barrier to barrier. */
static CUresult run_block(const struct block *block, struct thread *threads, unsigned count) {
  for (;;) {
    unsigned waiting = 0;
    for (unsigned i = 0; i < count; i++)
      switch (run_thread(&threads[i], block)) {
      case AT_BARRIER:
        waiting++;
        break;
      case BAD_ADDRESS:
        return CUDA_ERROR_ILLEGAL_ADDRESS;
      case MISALIGNED:
        return CUDA_ERROR_MISALIGNED_ADDRESS;
      default:
        break;
      }
    if (!waiting)
      return CUDA_SUCCESS;
    /* Some wait where others never come: a GPU might wait for ever. */
    for (unsigned i = 0; i < count; i++)
      if (threads[i].state != AT_BARRIER || threads[i].pc != threads[0].pc)
        return CUDA_ERROR_LAUNCH_FAILED;
  }
}

static void begin_thread(struct thread *thread, const struct function *function, const union slot *initial, const unsigned *size, unsigned number) {
  union slot *slots = thread->slots;
  memcpy(slots, initial, (size_t)function->slotCount * sizeof *slots);
  slots[SLOT_TID_X].u64 = number % size[0];
  slots[SLOT_TID_Y].u64 = number / size[0] % size[1];
  slots[SLOT_TID_Z].u64 = number / size[0] / size[1];
  slots[SLOT_LANEID].u64 = number % 32;
  slots[SLOT_WARPID].u64 = number / 32;
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

/* The threads' slots; a function without barriers ends one thread before the next begins, and
   all use the same ones. */
static CUresult make_threads(const struct function *function, unsigned count, struct thread **threads, union slot **slots) {
  unsigned files = function->barrier ? count : 1;
  *threads = calloc(count, sizeof **threads);
  *slots = calloc((size_t)files * (size_t)function->slotCount, sizeof **slots);
  if (!*threads || !*slots)
    return CUDA_ERROR_OUT_OF_MEMORY;
  for (unsigned i = 0; i < count; i++)
    (*threads)[i].slots = *slots + (size_t)(function->barrier ? i : 0) * (size_t)function->slotCount;
  return CUDA_SUCCESS;
}

/* Runs every block of the grid. initial is changed: it carries the block's number. */
static CUresult run_grid(const struct function *function, const struct launch *launch, const struct block *block, struct thread *threads, union slot *initial) {
  unsigned count = launch->block[0] * launch->block[1] * launch->block[2];
  CUresult result = CUDA_SUCCESS;
  for (unsigned z = 0; z < launch->grid[2]; z++)
    for (unsigned y = 0; y < launch->grid[1]; y++)
      for (unsigned x = 0; x < launch->grid[0] && !result; x++) {
        initial[SLOT_CTAID_X].u64 = x;
        initial[SLOT_CTAID_Y].u64 = y;
        initial[SLOT_CTAID_Z].u64 = z;
        for (unsigned i = 0; i < count && !result; i += function->barrier ? count : 1) {
          unsigned together = function->barrier ? count : 1;
          for (unsigned t = i; t < i + together; t++)
            begin_thread(&threads[t], function, initial, launch->block, t);
          result = run_block(block, &threads[i], together);
        }
      }
  return result;
}

CUresult ptx_run(const struct function *function, const struct launch *launch, struct memory *memory) {
  struct thread *threads;
  union slot *slots;
  size_t initialBytes = (size_t)function->slotCount * sizeof *slots;
  union slot *initial = malloc(initialBytes);
  uint64_t sharedBytes = function->shared + launch->dynamicShared;
  struct block block = {function->operations, memory, calloc(1, sharedBytes + 1), sharedBytes};
  CUresult result = make_threads(function, launch->block[0] * launch->block[1] * launch->block[2], &threads, &slots);
  if (!result && (!initial || !block.shared))
    result = CUDA_ERROR_OUT_OF_MEMORY;
  if (!result) {
    memcpy(initial, function->initial, initialBytes);
    for (int i = 0; i < 3; i++) {
      initial[SLOT_NTID_X + i].u64 = launch->block[i];
      initial[SLOT_NCTAID_X + i].u64 = launch->grid[i];
    }
    set_parameters(function, launch, initial);
    result = run_grid(function, launch, &block, threads, initial);
  }
  free(block.shared);
  free(initial);
  free(threads);
  free(slots);
  return result;
}
