/* The module: its directives, its entries and their declarations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptx_parser.h"

/* .version 6.0 */
static int read_version(struct parser *p) {
  struct token number = p->token;
  int major, minor;
  ptx_expect(p, ".version");
  number = p->token;
  if (number.kind != TOKEN_NUMBER || sscanf(number.text, "%d.%d", &major, &minor) != 2)
    ptx_syntax_error(p);
  int newest = driver_ptx_version();
  if (10 * major + minor > newest)
    ptx_refuse(p, CUDA_ERROR_UNSUPPORTED_PTX_VERSION, number.line, "fatal   : Unsupported .version %d.%d; current version is '%d.%d'", major, minor, newest / 10, newest % 10);
  ptx_next(p);
  return 10 * major + minor;
}

/* .target sm_70, with options after commas. */
static void read_target(struct parser *p, int version) {
  ptx_expect(p, ".target");
  struct token target = ptx_word(p);
  int capability;
  if (sscanf(target.text, "sm_%d", &capability) != 1)
    ptx_refuse(p, CUDA_ERROR_INVALID_PTX, target.line, "fatal   : Unknown .target '%.*s'", target.length, target.text);
  if (capability >= 70 && version < 60)
    ptx_refuse(p, CUDA_ERROR_INVALID_PTX, target.line, "error   : PTX .version 6.0 or later is required for .target sm_%d", capability);
  if (capability > p->capability)
    ptx_refuse(p, CUDA_ERROR_NO_BINARY_FOR_GPU, target.line, "fatal   : SM version specified by .target is higher than default SM version assumed");
  while (ptx_accept(p, ","))
    ptx_word(p);
}

/* .align 4 .b8 name[1024]: gives the name; alignment and size in bytes. */
static struct token read_sized(struct parser *p, unsigned *align, unsigned *bytes) {
  *align = 0;
  if (ptx_accept(p, ".align"))
    *align = (unsigned)ptx_unsigned(p);
  int type = ptx_type(&p->token);
  *bytes = ptx_type_bytes(type);
  if (!*bytes)
    ptx_syntax_error(p);
  ptx_next(p);
  if (ptx_accept(p, ".ptr")) { /* what a pointer points to */
    while (ptx_is(&p->token, ".global") || ptx_is(&p->token, ".shared"))
      ptx_next(p);
    if (ptx_accept(p, ".align"))
      ptx_unsigned(p);
  }
  if (!*align)
    *align = *bytes;
  if (*align & (*align - 1))
    ptx_syntax_error(p);
  struct token name = ptx_word(p);
  if (ptx_accept(p, "[")) {
    uint64_t count = ptx_unsigned(p);
    if (count > UINT16_MAX)
      ptx_refuse(p, CUDA_ERROR_INVALID_PTX, name.line, "error   : '%.*s' uses too much data", name.length, name.text);
    *bytes *= (unsigned)count;
    ptx_expect(p, "]");
  }
  return name;
}

/* .shared .align 4 .b8 name[1024]; at *total, which grows. */
static void read_shared(struct parser *p, unsigned *total) {
  ptx_expect(p, ".shared");
  unsigned align, bytes;
  struct token name = read_sized(p, &align, &bytes);
  ptx_expect(p, ";");
  unsigned offset = (*total + align - 1) & ~(align - 1);
  *LIST_ADD(p, p->variables) = (struct variable){name, offset};
  *total = offset + bytes;
  if (*total > SHARED_MOST)
    ptx_refuse(p, CUDA_ERROR_INVALID_PTX, name.line, "error   : uses too much shared data (0x%x bytes, 0x%llx max)", *total, SHARED_MOST);
}

static void read_parameters(struct parser *p) {
  struct function *f = p->function;
  if (!ptx_accept(p, "(") || ptx_accept(p, ")"))
    return;
  unsigned total = 0;
  do {
    ptx_expect(p, ".param");
    unsigned align, bytes;
    struct token name = read_sized(p, &align, &bytes);
    struct parameter *grown = realloc(f->parameters, (size_t)(f->parameterCount + 1) * sizeof *grown);
    char *copy = strndup(name.text, (size_t)name.length);
    if (grown)
      f->parameters = grown;
    if (!grown || !copy) {
      free(copy);
      ptx_refuse(p, CUDA_ERROR_OUT_OF_MEMORY, name.line, "fatal   : Memory allocation failure");
    }
    total = (total + align - 1) & ~(align - 1);
    grown[f->parameterCount++] = (struct parameter){copy, total, bytes};
    total += bytes;
  } while (ptx_accept(p, ","));
  ptx_expect(p, ")");
}

/* .reg .b32 %r<6>, %x; */
static void read_registers(struct parser *p) {
  ptx_expect(p, ".reg");
  int type = ptx_type(&p->token);
  if (type == T_none)
    ptx_syntax_error(p);
  ptx_next(p);
  do {
    struct registers r = {.name = ptx_word(p), .type = type, .count = -1};
    for (int i = 0; i < p->registers.count; i++)
      if (ptx_same(&r.name, &p->registers.at[i].name))
        ptx_refuse(p, CUDA_ERROR_INVALID_PTX, r.name.line, "error   : Duplicate definition of variable '%.*s'", r.name.length, r.name.text);
    if (ptx_accept(p, "<")) {
      uint64_t count = ptx_unsigned(p);
      if (count > UINT16_MAX)
        ptx_syntax_error(p);
      r.count = (int)count;
      ptx_expect(p, ">");
    }
    r.slot = p->function->slotCount;
    for (int i = 0; i < (r.count < 0 ? 1 : r.count); i++)
      ptx_slot(p, 0);
    *LIST_ADD(p, p->registers) = r;
  } while (ptx_accept(p, ","));
  ptx_expect(p, ";");
}

static struct label *find_label(struct parser *p, const struct token *name) {
  for (int i = 0; i < p->labels.count; i++)
    if (ptx_same(name, &p->labels.at[i].name))
      return &p->labels.at[i];
  return NULL;
}

/* True if a label stood there: a word with a colon. */
static bool read_label(struct parser *p) {
  if (p->token.kind != TOKEN_WORD || *p->at != ':')
    return false;
  struct token name = ptx_word(p);
  ptx_expect(p, ":");
  if (find_label(p, &name))
    ptx_refuse(p, CUDA_ERROR_INVALID_PTX, name.line, "error   : Duplicate definition of label '%.*s'", name.length, name.text);
  *LIST_ADD(p, p->labels) = (struct label){name, p->function->operationCount};
  return true;
}

static void resolve_jumps(struct parser *p) {
  for (int i = 0; i < p->jumps.count; i++) {
    const struct label *jump = &p->jumps.at[i], *label = find_label(p, &jump->name);
    if (!label)
      ptx_refuse(p, CUDA_ERROR_INVALID_PTX, jump->name.line, "error   : Unknown symbol '%.*s'", jump->name.length, jump->name.text);
    p->function->operations[jump->operation].offset = label->operation;
  }
}

static void read_body(struct parser *p) {
  ptx_expect(p, "{");
  while (!ptx_accept(p, "}")) {
    if (ptx_is(&p->token, ".reg")) {
      read_registers(p);
    } else if (ptx_is(&p->token, ".shared")) {
      read_shared(p, &p->function->shared);
    } else if (ptx_is(&p->token, ".pragma")) {
      while (!ptx_accept(p, ";")) {
        if (p->token.kind == TOKEN_END)
          ptx_syntax_error(p);
        ptx_next(p);
      }
    } else if (!read_label(p)) {
      ptx_read_instruction(p);
    }
  }
  ptx_emit(p, OP_ret); /* should the text have none at its end */
  resolve_jumps(p);
}

/* .entry name (parameters) { ... } */
static void read_entry(struct parser *p) {
  ptx_expect(p, ".entry");
  struct token name = ptx_word(p);
  struct function *f = calloc(1, sizeof *f);
  if (!f || !(f->name = strndup(name.text, (size_t)name.length))) {
    free(f);
    ptx_refuse(p, CUDA_ERROR_OUT_OF_MEMORY, name.line, "fatal   : Memory allocation failure");
  }
  f->module = p->module;
  f->next = p->module->functions;
  f->shared = p->shared;
  p->module->functions = p->function = f;
  p->registers.count = p->labels.count = p->jumps.count = 0;
  int variables = p->variables.count;
  for (int i = 0; i < SLOT_SPECIALS; i++)
    ptx_slot(p, 0);
  read_parameters(p);
  while (!ptx_is(&p->token, "{")) { /* .maxntid 256, 1, 1 and the like: hints */
    if (p->token.kind == TOKEN_END || ptx_is(&p->token, ";"))
      ptx_syntax_error(p);
    ptx_next(p);
  }
  read_body(p);
  p->variables.count = variables;
  p->function = NULL;
}

static void read_module(struct parser *p) {
  ptx_next(p);
  read_target(p, read_version(p));
  if (ptx_accept(p, ".address_size") && ptx_unsigned(p) != 64)
    ptx_refuse(p, CUDA_ERROR_INVALID_PTX, p->token.line, "fatal   : 32-bit addresses are not supported");
  while (p->token.kind != TOKEN_END) {
    while (ptx_accept(p, ".visible") || ptx_accept(p, ".weak"))
      ;
    if (ptx_is(&p->token, ".entry"))
      read_entry(p);
    else if (ptx_is(&p->token, ".shared"))
      read_shared(p, &p->shared);
    else
      ptx_syntax_error(p);
  }
}

CUresult ptx_parse(const char *text, int capability, struct module **module, char *log, size_t logBytes) {
  struct parser *p = calloc(1, sizeof *p);
  struct module *m = calloc(1, sizeof *m);
  if (!p || !m) {
    free(p);
    free(m);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  p->at = text;
  p->line = 1;
  p->capability = capability;
  p->module = m;
  p->log = log;
  p->logBytes = logBytes;
  if (!setjmp(p->refused)) {
    read_module(p);
    *module = m;
  } else {
    ptx_free(p->module);
  }
  CUresult result = p->result;
  free(p->registers.at);
  free(p->variables.at);
  free(p->labels.at);
  free(p->jumps.at);
  free(p);
  return result;
}

void ptx_free(struct module *module) {
  while (module->functions) {
    struct function *f = module->functions;
    module->functions = f->next;
    for (int i = 0; i < f->parameterCount; i++)
      free(f->parameters[i].name);
    free(f->parameters);
    free(f->parameterSlots);
    free(f->operations);
    free(f->initial);
    free(f->name);
    free(f);
  }
  free(module);
}
