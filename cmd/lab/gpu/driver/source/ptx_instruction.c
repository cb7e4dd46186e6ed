/* Instructions: their text is looked up, their operands are checked against its types. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptx_parser.h"

static const char *const specials[SLOT_SPECIALS] = {
    "%tid.x",   "%tid.y",   "%tid.z",   "%ntid.x",   "%ntid.y",   "%ntid.z",   "%ctaid.x",
    "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid", "%warpid",
};

struct operation *ptx_emit(struct parser *p, int code) {
  struct function *f = p->function;
  f->operations = ptx_grow(p, f->operations, f->operationCount, &f->operationRoom, sizeof *f->operations);
  struct operation *o = &f->operations[f->operationCount++];
  *o = (struct operation){.code = (uint16_t)code};
  return o;
}

uint16_t ptx_slot(struct parser *p, uint64_t initial) {
  struct function *f = p->function;
  if (f->slotCount > UINT16_MAX)
    ptx_refuse(p, CUDA_ERROR_INVALID_PTX, p->token.line, "fatal   : too many registers for the simulated driver");
  f->initial = ptx_grow(p, f->initial, f->slotCount, &f->slotRoom, sizeof *f->initial);
  f->initial[f->slotCount].u64 = initial;
  return (uint16_t)f->slotCount++;
}

/* Says whether a register of that type may stand where the instruction wants type. */
static bool fits(int type, int wanted) {
  bool wider = wanted & T_wider;
  wanted &= ~T_wider;
  if (type == T_pred || wanted == T_pred)
    return type == wanted;
  unsigned has = ptx_type_bytes(type), wants = ptx_type_bytes(wanted);
  bool isFloat = type == T_f32 || type == T_f64, wantsFloat = wanted == T_f32 || wanted == T_f64;
  bool isBits = type == T_b8 || type == T_b16 || type == T_b32 || type == T_b64;
  bool wantsBits = wanted == T_b8 || wanted == T_b16 || wanted == T_b32 || wanted == T_b64;
  if (has == wants)
    return isFloat == wantsFloat || isBits || wantsBits;
  return wider && has > wants && !isFloat && !wantsFloat;
}

static _Noreturn void mismatch(struct parser *p, const struct token *opcode) {
  ptx_refuse(p, CUDA_ERROR_INVALID_PTX, opcode->line, "error   : Arguments mismatch for instruction '%.*s'", (int)strcspn(opcode->text, ". \t\n;"), opcode->text);
}

static _Noreturn void unknown(struct parser *p, const struct token *name) {
  ptx_refuse(p, CUDA_ERROR_INVALID_PTX, name->line, "error   : Unknown symbol '%.*s'", name->length, name->text);
}

/* Finds the register %r5 in .reg %r<6>; false if nothing declares it. */
static bool find_register(struct parser *p, const struct token *name, int *type, uint16_t *slot) {
  for (int i = 0; i < p->registers.count; i++) {
    const struct registers *r = &p->registers.at[i];
    if (r->count < 0 && ptx_same(name, &r->name)) {
      *type = r->type;
      *slot = (uint16_t)r->slot;
      return true;
    }
    if (r->count < 0 || name->length <= r->name.length || memcmp(name->text, r->name.text, (size_t)r->name.length))
      continue;
    const char *digits = name->text + r->name.length;
    char *end;
    unsigned long number = strtoul(digits, &end, 10);
    bool plain = *digits >= '0' && *digits <= '9' && (*digits != '0' || end == digits + 1);
    if (plain && end == name->text + name->length && number < (unsigned long)r->count) {
      *type = r->type;
      *slot = (uint16_t)(r->slot + (int)number);
      return true;
    }
  }
  return false;
}

static bool find_special(const struct token *name, uint16_t *slot) {
  for (int i = 0; i < SLOT_SPECIALS; i++)
    if (ptx_is(name, specials[i])) {
      *slot = (uint16_t)i;
      return true;
    }
  return false;
}

static const struct variable *find_variable(struct parser *p, const struct token *name) {
  for (int i = 0; i < p->variables.count; i++)
    if (ptx_same(name, &p->variables.at[i].name))
      return &p->variables.at[i];
  return NULL;
}

/* A constant's slot. Registers before it begin with a constant, too, 0: they are not it. */
static uint16_t constant(struct parser *p, uint64_t value) { return ptx_slot(p, value); }

/* An integer, or floating point as 0f and 0d with the bits in hexadecimal digits. */
static uint16_t read_constant(struct parser *p, const struct token *opcode, int wanted) {
  bool negative = ptx_accept(p, "-");
  struct token number = p->token;
  if (number.kind != TOKEN_NUMBER)
    ptx_syntax_error(p);
  bool single = number.length == 10 && number.text[0] == '0' && (number.text[1] | 32) == 'f';
  bool twice = number.length == 18 && number.text[0] == '0' && (number.text[1] | 32) == 'd';
  wanted &= ~T_wider;
  if (single || twice) {
    if (negative || !fits(single ? T_f32 : T_f64, wanted))
      mismatch(p, opcode);
    char *end;
    uint64_t bits = strtoull(number.text + 2, &end, 16);
    if (end != number.text + number.length)
      ptx_syntax_error(p);
    ptx_next(p);
    return constant(p, bits);
  }
  if (wanted == T_f32 || wanted == T_f64)
    mismatch(p, opcode);
  uint64_t value = ptx_unsigned(p);
  return constant(p, negative ? 0 - value : value);
}

/* A register, a constant, a special register, or the address of a variable. */
static uint16_t read_value(struct parser *p, const struct token *opcode, int wanted, bool destination) {
  if (p->token.kind != TOKEN_WORD) {
    if (destination)
      ptx_syntax_error(p);
    return read_constant(p, opcode, wanted);
  }
  struct token name = ptx_word(p);
  int type;
  uint16_t slot = 0;
  const struct variable *variable = NULL;
  if (!find_register(p, &name, &type, &slot)) {
    if (find_special(&name, &slot))
      type = T_u32;
    else if ((variable = find_variable(p, &name)))
      type = ptx_type_bytes(wanted & ~T_wider) == 4 ? T_b32 : T_b64;
    else
      unknown(p, &name);
    if (destination)
      mismatch(p, opcode);
  }
  if (!fits(type, wanted))
    mismatch(p, opcode);
  return variable ? constant(p, variable->offset) : slot;
}

static int32_t read_offset(struct parser *p) {
  if (!ptx_accept(p, "+"))
    return 0;
  bool negative = ptx_accept(p, "-");
  uint64_t value = ptx_unsigned(p);
  if (value > INT32_MAX)
    ptx_syntax_error(p);
  return negative ? -(int32_t)value : (int32_t)value;
}

/* [%rd1+4] or [variable+4]. */
static uint16_t read_address(struct parser *p, const struct token *opcode, int32_t *offset) {
  ptx_expect(p, "[");
  if (p->token.kind != TOKEN_WORD)
    ptx_syntax_error(p);
  uint16_t slot = read_value(p, opcode, T_u64, false);
  *offset = read_offset(p);
  ptx_expect(p, "]");
  return slot;
}

/* ld.param becomes a move from a slot that each launch fills. */
static void read_parameter_load(struct parser *p, const struct token *opcode, const char *type) {
  char plain[72];
  snprintf(plain, sizeof plain, "ld%s", type);
  const struct instruction *like = ptx_instruction(plain);
  if (!like)
    ptx_refuse(p, CUDA_ERROR_INVALID_PTX, opcode->line, "error   : Unexpected instruction types specified for 'ld'");
  struct function *f = p->function;
  uint16_t destination = read_value(p, opcode, like->operands[0], true);
  ptx_expect(p, ",");
  ptx_expect(p, "[");
  struct token name = ptx_word(p);
  int32_t offset = read_offset(p);
  ptx_expect(p, "]");
  int number = 0;
  while (number < f->parameterCount && !ptx_is(&name, f->parameters[number].name))
    number++;
  if (number == f->parameterCount)
    unknown(p, &name);
  unsigned bytes = ptx_type_bytes(like->operands[0] & ~T_wider);
  if (offset < 0 || (unsigned)offset + bytes > f->parameters[number].bytes || (unsigned)offset % bytes)
    mismatch(p, opcode);
  struct parameter_slot *grown = realloc(f->parameterSlots, (size_t)(f->parameterSlotCount + 1) * sizeof *grown);
  if (!grown)
    ptx_refuse(p, CUDA_ERROR_OUT_OF_MEMORY, opcode->line, "fatal   : Memory allocation failure");
  f->parameterSlots = grown;
  uint16_t slot = ptx_slot(p, 0);
  grown[f->parameterSlotCount++] = (struct parameter_slot){(unsigned)number, (unsigned)offset, like->operands[0] & ~T_wider, slot};
  struct operation *o = ptx_emit(p, OP_mov_b64);
  o->slot[0] = destination;
  o->slot[1] = slot;
}

/* The instruction's text without what makes no difference here: caching hints. */
static void plain_text(const struct token *opcode, char text[64]) {
  static const char *const hints[] = {".nc", ".volatile", ".weak"};
  snprintf(text, 64, "%.*s", opcode->length, opcode->text);
  if (strncmp(text, "ld.", 3) && strncmp(text, "st.", 3))
    return;
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
    size_t length = strlen(hints[i]);
    char *at = strstr(text, hints[i]);
    if (at && (at[length] == '.' || !at[length]))
      memmove(at, at + length, strlen(at + length) + 1);
  }
}

static void read_operands(struct parser *p, const struct token *opcode, const struct instruction *instruction) {
  struct operation o = {.code = instruction->code};
  for (int i = 0; i < 4 && instruction->operands[i] != T_none; i++) {
    if (ptx_is(&p->token, ";"))
      mismatch(p, opcode);
    if (i > 0)
      ptx_expect(p, ",");
    switch (instruction->operands[i]) {
    case T_address:
      o.slot[i] = read_address(p, opcode, &o.offset);
      break;
    case T_label:
      *LIST_ADD(p, p->jumps) = (struct label){ptx_word(p), p->function->operationCount};
      break;
    case T_barrier:
      if (ptx_unsigned(p) > 15)
        mismatch(p, opcode);
      p->function->barrier = true;
      break;
    default:
      o.slot[i] = read_value(p, opcode, instruction->operands[i], i == 0);
    }
  }
  if (ptx_is(&p->token, ","))
    mismatch(p, opcode);
  *ptx_emit(p, o.code) = o;
}

void ptx_read_instruction(struct parser *p) {
  int guard = -1;
  bool unless = false;
  if (ptx_accept(p, "@")) {
    unless = ptx_accept(p, "!");
    struct token none = p->token;
    guard = read_value(p, &none, T_pred, true);
  }
  struct token opcode = ptx_word(p);
  char text[64];
  plain_text(&opcode, text);
  const struct instruction *instruction = ptx_instruction(text);
  bool jump = instruction && instruction->operands[0] == T_label;
  if (guard >= 0 && !jump)
    ptx_emit(p, unless ? OP_skip_if : OP_skip_unless)->slot[0] = (uint16_t)guard;
  if (!strncmp(text, "ld.param.", 9))
    read_parameter_load(p, &opcode, text + 8);
  else if (instruction)
    read_operands(p, &opcode, instruction);
  else if (ptx_opcode_known(text))
    ptx_refuse(p, CUDA_ERROR_INVALID_PTX, opcode.line, "error   : Unexpected instruction types specified for '%s'", text);
  else
    ptx_refuse(p, CUDA_ERROR_INVALID_PTX, opcode.line, "error   : Not a name of any known instruction: '%s'", text);
  if (guard >= 0 && jump) {
    struct operation *o = &p->function->operations[p->function->operationCount - 1];
    o->code = unless ? OP_bra_unless : OP_bra_if;
    o->slot[0] = (uint16_t)guard;
  }
  ptx_expect(p, ";");
}
