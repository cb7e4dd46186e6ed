/* What the files that read PTX share: ptx_lex.c (words), ptx_parse.c (the module and its
   functions), ptx_instruction.c (instructions and their operands). */
#ifndef PTX_PARSER_H
#define PTX_PARSER_H

#include <setjmp.h>

#include "ptx.h"

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_NUMBER, TOKEN_STRING, TOKEN_SIGN };

/* A piece of the text; a name is one too. */
struct token {
  enum token_kind kind;
  const char *text;
  int length, line;
};

/* .reg .b32 %r<6>: count 6, slots from slot on; .reg .b32 x: count -1. */
struct registers {
  struct token name;
  int type, count, slot;
};

struct variable { /* in shared memory */
  struct token name;
  unsigned offset;
};

struct label {
  struct token name;
  int operation;
};

/* A growing array. */
#define LIST(type) \
  struct { \
    type *at; \
    int count, room; \
  }

struct parser {
  const char *at; /* what comes after token */
  int line;
  struct token token;

  jmp_buf refused;
  CUresult result;
  char *log;
  size_t logBytes;

  int capability;
  unsigned shared; /* bytes of the variables outside functions */
  struct module *module;
  struct function *function;
  LIST(struct registers) registers;
  LIST(struct variable) variables;
  LIST(struct label) labels; /* defined */
  LIST(struct label) jumps;  /* operations that jump to them */
};

/* Gives room for one more element, counted. */
#define LIST_ADD(parser, list) ((list).at = ptx_grow(parser, (list).at, (list).count, &(list).room, sizeof *(list).at), &(list).at[(list).count++])
void *ptx_grow(struct parser *parser, void *at, int count, int *room, size_t size);

/* Ends the parse with this result and the message, which names the line. */
_Noreturn void ptx_refuse(struct parser *parser, CUresult result, int line, const char *format, ...) __attribute__((format(printf, 4, 5)));
_Noreturn void ptx_syntax_error(struct parser *parser);

void ptx_next(struct parser *parser);
bool ptx_is(const struct token *token, const char *text);
bool ptx_same(const struct token *a, const struct token *b);
bool ptx_accept(struct parser *parser, const char *text);
void ptx_expect(struct parser *parser, const char *text);
struct token ptx_word(struct parser *parser);        /* the next word, whatever it is */
uint64_t ptx_unsigned(struct parser *parser);        /* the next number, an integer */

/* .u32 and the like; T_none if it is no type's name. */
int ptx_type(const struct token *token);
unsigned ptx_type_bytes(int type);

/* A new slot of the function with that initial value. */
uint16_t ptx_slot(struct parser *parser, uint64_t initial);

/* Reads one instruction, its guard and its semicolon. */
void ptx_read_instruction(struct parser *parser);

/* Adds an operation and returns it. */
struct operation *ptx_emit(struct parser *parser, int code);

#endif
