/* The words of PTX, and how a parse ends early. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptx_parser.h"

void ptx_refuse(struct parser *parser, CUresult result, int line, const char *format, ...) {
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (parser->logBytes)
    snprintf(parser->log, parser->logBytes, "ptxas application ptx input, line %d; %s\nptxas fatal   : Ptx assembly aborted due to errors\n", line, message);
  parser->result = result;
  longjmp(parser->refused, 1);
}

void ptx_syntax_error(struct parser *parser) {
  const struct token *t = &parser->token;
  ptx_refuse(parser, CUDA_ERROR_INVALID_PTX, t->line, "fatal   : Parsing error near '%.*s': syntax error", t->length, t->text);
}

void *ptx_grow(struct parser *parser, void *at, int count, int *room, size_t size) {
  if (count < *room)
    return at;
  int more = *room ? 2 * *room : 16;
  void *grown = realloc(at, (size_t)more * size);
  if (!grown) /* the old one is still the parser's, and freed with it */
    ptx_refuse(parser, CUDA_ERROR_OUT_OF_MEMORY, parser->line, "fatal   : Memory allocation failure");
  *room = more;
  return grown;
}

static void skip_space(struct parser *p) {
  for (;;) {
    if (*p->at == '\n') {
      p->line++;
      p->at++;
    } else if (isspace((unsigned char)*p->at)) {
      p->at++;
    } else if (p->at[0] == '/' && p->at[1] == '/') {
      p->at += strcspn(p->at, "\n");
    } else if (p->at[0] == '/' && p->at[1] == '*') {
      for (p->at += 2; *p->at && (p->at[0] != '*' || p->at[1] != '/'); p->at++)
        p->line += *p->at == '\n';
      p->at += *p->at ? 2 : 0;
    } else {
      return;
    }
  }
}

static bool word_character(char c) { return isalnum((unsigned char)c) || (c && strchr("_$.%", c)); }

void ptx_next(struct parser *p) {
  skip_space(p);
  const char *begin = p->at;
  enum token_kind kind;
  if (!*begin) {
    kind = TOKEN_END;
  } else if (*begin == '"') {
    kind = TOKEN_STRING;
    p->at += 1 + strcspn(begin + 1, "\"\n");
    p->at += *p->at == '"';
  } else if (word_character(*begin)) {
    kind = isdigit((unsigned char)*begin) ? TOKEN_NUMBER : TOKEN_WORD;
    while (word_character(*p->at))
      p->at++;
  } else {
    kind = TOKEN_SIGN;
    p->at++;
  }
  p->token = (struct token){kind, begin, (int)(p->at - begin), p->line};
}

bool ptx_is(const struct token *token, const char *text) {
  return token->kind != TOKEN_END && strlen(text) == (size_t)token->length && !memcmp(token->text, text, (size_t)token->length);
}

bool ptx_same(const struct token *a, const struct token *b) {
  return a->length == b->length && !memcmp(a->text, b->text, (size_t)a->length);
}

bool ptx_accept(struct parser *parser, const char *text) {
  if (!ptx_is(&parser->token, text))
    return false;
  ptx_next(parser);
  return true;
}

void ptx_expect(struct parser *parser, const char *text) {
  if (!ptx_accept(parser, text))
    ptx_syntax_error(parser);
}

struct token ptx_word(struct parser *parser) {
  struct token word = parser->token;
  if (word.kind != TOKEN_WORD)
    ptx_syntax_error(parser);
  ptx_next(parser);
  return word;
}

uint64_t ptx_unsigned(struct parser *parser) {
  struct token number = parser->token;
  char *end;
  if (number.kind != TOKEN_NUMBER)
    ptx_syntax_error(parser);
  bool binary = number.length > 2 && number.text[0] == '0' && (number.text[1] | 32) == 'b';
  uint64_t value = binary ? strtoull(number.text + 2, &end, 2) : strtoull(number.text, &end, 0);
  end += *end == 'U';
  if (end != number.text + number.length)
    ptx_syntax_error(parser);
  ptx_next(parser);
  return value;
}

static const struct { const char *name; int type; unsigned bytes; } types[] = {
    {".b8", T_b8, 1},   {".u8", T_u8, 1},   {".s8", T_s8, 1},   {".b16", T_b16, 2}, {".u16", T_u16, 2},
    {".s16", T_s16, 2}, {".b32", T_b32, 4}, {".u32", T_u32, 4}, {".s32", T_s32, 4}, {".b64", T_b64, 8},
    {".u64", T_u64, 8}, {".s64", T_s64, 8}, {".f32", T_f32, 4}, {".f64", T_f64, 8}, {".pred", T_pred, 0},
};

int ptx_type(const struct token *token) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (ptx_is(token, types[i].name))
      return types[i].type;
  return T_none;
}

unsigned ptx_type_bytes(int type) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].type == type)
      return types[i].bytes;
  return 0;
}
