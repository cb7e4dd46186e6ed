/* PTX: from text to operations that ptx_run.c executes. */
#ifndef PTX_H
#define PTX_H

#include "driver.h"

/* The types of registers and instructions, and what else an operand may be. */
enum {
  T_none, T_b8, T_u8, T_s8, T_b16, T_u16, T_s16, T_b32, T_u32, T_s32, T_b64, T_u64, T_s64, T_f32, T_f64, T_pred,
  T_address, /* [register + offset] or [variable + offset] */
  T_label,
  T_barrier, /* its number */
  T_wider = 0x20, /* flag: the register may be wider than the instruction's type, as ld, st and cvt allow */
};

/* One place of a thread: a register, a constant, a parameter or a special register. Narrow values
   are kept with the bits above them 0, or, from ld and cvt of signed types, with their sign. */
union slot {
  uint8_t u8, b8;
  int8_t s8;
  uint16_t u16, b16;
  int16_t s16;
  uint32_t u32, b32;
  int32_t s32;
  uint64_t u64, b64;
  int64_t s64;
  float f32;
  double f64;
};

/* The special registers' slots, the same in every function. */
enum {
  SLOT_TID_X, SLOT_TID_Y, SLOT_TID_Z, SLOT_NTID_X, SLOT_NTID_Y, SLOT_NTID_Z, SLOT_CTAID_X, SLOT_CTAID_Y, SLOT_CTAID_Z,
  SLOT_NCTAID_X, SLOT_NCTAID_Y, SLOT_NCTAID_Z, SLOT_LANEID, SLOT_WARPID, SLOT_SPECIALS,
};

/* A decoded instruction. */
struct operation {
  uint16_t code;
  uint16_t slot[4];   /* of its operands, in the order of the text */
  int32_t offset;     /* of the address, or the branch's target */
};

struct parameter {
  char *name;
  unsigned offset, bytes;
};

/* A parameter, or a part of it, that ld.param reads: a constant of the launch. */
struct parameter_slot {
  unsigned parameter, offset;
  int type;
  uint16_t slot;
};

struct function {
  struct function *next;
  char *name;
  struct module *module;
  struct operation *operations;
  int operationCount, operationRoom;
  struct parameter *parameters;
  int parameterCount;
  struct parameter_slot *parameterSlots;
  int parameterSlotCount;
  union slot *initial; /* what a thread's slots begin with: constants, and registers 0 */
  int slotCount, slotRoom;
  unsigned shared;     /* bytes of shared memory */
  bool barrier;
};

struct module {
  struct module *next;
  struct function *functions;
};

/* Reads PTX for a device of this compute capability (70: sm_70). Where it is refused, the result
   says why in kind and log in words, with the line, as ptxas puts it. */
CUresult ptx_parse(const char *text, int capability, struct module **module, char *log, size_t logBytes);

void ptx_free(struct module *module);

struct launch {
  unsigned grid[3], block[3];
  unsigned dynamicShared; /* bytes */
  void *const *arguments;
};

struct memory;

/* Runs every thread of the grid. CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_MISALIGNED_ADDRESS or
   CUDA_ERROR_LAUNCH_FAILED where the kernel went wrong; it is then left half done. */
CUresult ptx_run(const struct function *function, const struct launch *launch, struct memory *memory);

/* The instructions. */
enum {
#define OP(id, text, o0, o1, o2, o3, ...) OP_##id,
#include "ptx_ops.def"
#undef OP
  OP_COUNT,
};

struct instruction {
  const char *text;
  uint8_t operands[4]; /* T_... */
  uint16_t code;
};

/* Finds the instruction by its full text ("add.rn.f32"), NULL if there is none. */
const struct instruction *ptx_instruction(const char *text);

/* True for the first word of a known instruction ("add"). */
bool ptx_opcode_known(const char *text);

/* Shared memory as generic addresses see it. */
#define SHARED_WINDOW 0xe00000000000ULL
#define SHARED_MOST (48 * KIB)

#endif
