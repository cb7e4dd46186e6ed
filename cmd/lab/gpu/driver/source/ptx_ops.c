/* The table of instructions, found by their text. */
#include <string.h>

#include "ptx.h"

static const struct instruction instructions[] = {
#define OP(id, text, o0, o1, o2, o3, ...) {text, {o0, o1, o2, o3}, OP_##id},
#include "ptx_ops.def"
#undef OP
};

const struct instruction *ptx_instruction(const char *text) {
  for (int i = 0; i < OP_COUNT; i++)
    if (*text && !strcmp(instructions[i].text, text))
      return &instructions[i];
  return NULL;
}

bool ptx_opcode_known(const char *text) {
  size_t length = strcspn(text, ".");
  for (int i = 0; i < OP_COUNT; i++)
    if (length && !strncmp(instructions[i].text, text, length) && strcspn(instructions[i].text, ".") == length)
      return true;
  return false;
}
