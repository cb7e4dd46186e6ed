/* The interpreter, included by ptx_run.c for LANES threads as the function RUN. It runs them from
   the first one's pc until they stop, all in the same way, or are PARTED. Each operation jumps to
   the next one's code itself, which is what makes this fast. */

static enum state RUN(struct thread *thread, const struct block *block) {
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

#define R(i) slots[pc->slot[i] * GROUP + lane]
#define D R(0)
#define A R(1)
#define B R(2)
#define C R(3)
#define OFFSET ((uint64_t)(int64_t)pc->offset)
#define STOP_AT(where, why) \
  do { \
    thread->pc = (where); \
    return thread->state = (why); \
  } while (0)
#define STOP(why) STOP_AT(pc + 1, why)
#define JUMP \
  do { \
    pc = operations + pc->offset; \
    goto *code[pc->code]; \
  } while (0)
/* For what depends on operand 0, a predicate, which must be the same for all. */
#define AGREED \
  for (int other = 1; other < LANES; other++) \
    if (unlikely(slots[pc->slot[0] * GROUP + other].u64 != D.u64)) \
      STOP_AT(pc, PARTED);
/* No thread touches another one's slots: the compiler may do several at once. */
#define OP(id, text, o0, o1, o2, o3, ...) \
  code_##id : { \
    _Pragma("GCC ivdep") for (int lane = 0; lane < LANES; lane++) { __VA_ARGS__; } \
    pc++; \
    goto *code[pc->code]; \
  }
#define WAY(id, text, operand, ...) \
  code_##id : { \
    enum { lane = 0 }; \
    __VA_ARGS__; \
    pc++; \
    goto *code[pc->code]; \
  }

  goto *code[pc->code];
#include "ptx_ops.def"
#undef OP
#undef WAY
#undef R
#undef D
#undef A
#undef B
#undef C
#undef OFFSET
#undef STOP_AT
#undef STOP
#undef JUMP
#undef AGREED
}
