/* PTX: each kind of instruction against what it must give, and what must be refused. */
#include "selftest.h"

#define HEAD ".version 6.0\n.target sm_70\n.address_size 64\n"

/* A kernel whose every thread stores %rd3, made of a (%rd1) and b (%rd2) by the body, to its own
   place after the first parameter. */
static const char *with_body(const char *body) {
  static char text[4096];
  snprintf(text, sizeof text,
           HEAD ".visible .entry test(.param .u64 out, .param .u64 a, .param .u64 b) {\n"
                "  .reg .pred %%p<4>; .reg .b16 %%h<4>; .reg .b32 %%r<4>; .reg .b64 %%rd<8>; .reg .f32 %%f<4>; .reg .f64 %%d<4>;\n"
                "  .shared .align 8 .b8 box[64];\n"
                "  ld.param.u64 %%rd0, [out]; ld.param.u64 %%rd1, [a]; ld.param.u64 %%rd2, [b];\n"
                "  cvt.u16.u64 %%h1, %%rd1; cvt.u16.u64 %%h2, %%rd2; cvt.u32.u64 %%r1, %%rd1; cvt.u32.u64 %%r2, %%rd2;\n"
                "  mov.b32 %%f1, %%r1; mov.b32 %%f2, %%r2; mov.b64 %%d1, %%rd1; mov.b64 %%d2, %%rd2;\n"
                "  mov.u32 %%r3, %%tid.x; mul.wide.u32 %%rd3, %%r3, 8; add.s64 %%rd0, %%rd0, %%rd3; mov.u64 %%rd3, 0;\n"
                "%s\n  st.global.u64 [%%rd0], %%rd3;\n  ret;\n}\n",
           body);
  return text;
}

/* Where the body leaves its result, and how that comes to %rd3. */
#define H " cvt.u64.u16 %rd3, %h3;"
#define W " cvt.u64.u32 %rd3, %r3;"
#define F " mov.b32 %r3, %f3;" W
#define G " mov.b64 %rd3, %d3;"
#define P " selp.u64 %rd3, 1, 0, %p3;"

/* More than run in step together, and not a multiple of it. */
#define THREADS 35

static const struct {
  const char *body;
  uint64_t a, b, want;
} cases[] = {
    {"add.s32 %r3, %r1, %r2;" W, 0x7fffffff, 1, 0x80000000},
    {"add.u16 %h3, %h1, %h2;" H, 0xffff, 2, 1},
    {"sub.s64 %rd3, %rd1, %rd2;", 1, 2, UINT64_MAX},
    {"mul.lo.u16 %h3, %h1, %h2;" H, 0xffff, 0xffff, 1},
    {"mul.lo.s64 %rd3, %rd1, -3;", 5, 0, (uint64_t)-15},
    {"mul.hi.s32 %r3, %r1, %r2;" W, 0xffffffff, 2, 0xffffffff},
    {"mul.hi.u32 %r3, %r1, %r2;" W, 0xffffffff, 2, 1},
    {"mul.hi.u64 %rd3, %rd1, %rd2;", UINT64_MAX, 16, 15},
    {"mul.hi.s64 %rd3, %rd1, %rd2;", UINT64_MAX, 16, UINT64_MAX},
    {"mul.wide.s32 %rd3, %r1, %r2;", 0xffffffff, 2, (uint64_t)-2},
    {"mul.wide.u32 %rd3, %r1, %r2;", 0xffffffff, 2, 0x1fffffffe},
    {"mul.wide.s16 %r3, %h1, %h2;" W, 0xffff, 3, 0xfffffffd},
    {"mad.lo.s32 %r3, %r1, %r2, 7;" W, 6, 7, 49},
    {"mad.wide.u32 %rd3, %r1, %r2, %rd1;", 0xffffffff, 2, 0x2fffffffd},
    {"div.s32 %r3, %r1, %r2;" W, (uint32_t)-7, 2, (uint32_t)-3},
    {"div.s32 %r3, %r1, %r2;" W, 0x80000000, 0xffffffff, 0x80000000},
    {"div.u32 %r3, %r1, %r2;" W, 7, 0, 0xffffffff},
    {"rem.s64 %rd3, %rd1, %rd2;", (uint64_t)-7, 2, UINT64_MAX},
    {"min.s32 %r3, %r1, %r2;" W, 0xffffffff, 1, 0xffffffff},
    {"max.u32 %r3, %r1, %r2;" W, 0xffffffff, 1, 0xffffffff},
    {"neg.s32 %r3, %r1;" W, 0x80000000, 0, 0x80000000},
    {"abs.s16 %h3, %h1;" H, 0xfffe, 0, 2},
    {"and.b32 %r3, %r1, %r2;" W, 12, 10, 8},
    {"or.b64 %rd3, %rd1, %rd2;", 12, 10, 14},
    {"xor.b16 %h3, %h1, %h2;" H, 12, 10, 6},
    {"not.b32 %r3, %r1;" W, 1, 0, 0xfffffffe},
    {"shl.b32 %r3, %r1, %r2;" W, 3, 31, 0x80000000},
    {"shl.b64 %rd3, %rd1, %r2;", 3, 64, 0},
    {"shr.u32 %r3, %r1, %r2;" W, 0x80000000, 31, 1},
    {"shr.s32 %r3, %r1, %r2;" W, 0x80000000, 99, 0xffffffff},
    {"shr.s16 %h3, %h1, 4;" H, 0x8000, 0, 0xf800},
    {"popc.b64 %r3, %rd1;" W, 0xff00ff, 0, 16},
    {"clz.b32 %r3, %r1;" W, 0, 0, 32},
    {"cvt.s64.s8 %rd3, %rd1;", 0x1fe, 0, (uint64_t)-2},
    {"cvt.u32.u8 %r3, %r1;" W, 0x1fe, 0, 0xfe},
    {"cvt.s64.s32 %rd3, %r1;", 0x80000000, 0, 0xffffffff80000000},
    {"cvt.u64.u32 %rd3, %r1;", 0x80000000, 0, 0x80000000},
    {"cvt.u16.u32 %h3, %r1;" H, 0x12345678, 0, 0x5678},
    {"cvt.rn.f32.s32 %f3, %r1;" F, 0xffffffff, 0, 0xbf800000},
    {"cvt.rzi.s32.f32 %r3, %f1;" W, 0xc0200000, 0, 0xfffffffe},
    {"cvt.rzi.u32.f32 %r3, %f1;" W, 0xc0200000, 0, 0},
    {"cvt.rzi.s32.f32 %r3, %f1;" W, 0x7f800000, 0, 0x7fffffff},
    {"cvt.f64.f32 %d3, %f1;" G, 0x3f800000, 0, 0x3ff0000000000000},
    {"cvt.rn.f32.f64 %f3, %d1;" F, 0x3ff0000000000000, 0, 0x3f800000},
    {"add.rn.f32 %f3, %f1, 0f3F800000;" F, 0x3f800000, 0, 0x40000000},
    {"sub.f64 %d3, %d1, 0d3FF0000000000000;" G, 0x4000000000000000, 0, 0x3ff0000000000000},
    {"mul.f32 %f3, %f1, %f2;" F, 0x40000000, 0x40400000, 0x40c00000},
    {"div.rn.f32 %f3, %f1, %f2;" F, 0x40c00000, 0x40400000, 0x40000000},
    {"fma.rn.f32 %f3, %f1, %f2, %f1;" F, 0x40000000, 0x40400000, 0x41000000},
    {"sqrt.rn.f32 %f3, %f1;" F, 0x41100000, 0, 0x40400000},
    {"setp.lt.s32 %p3, %r1, %r2;" P, 0xffffffff, 0, 1},
    {"setp.lt.u32 %p3, %r1, %r2;" P, 0xffffffff, 0, 0},
    {"setp.hs.u64 %p3, %rd1, %rd2;" P, 5, 5, 1},
    {"setp.ne.b16 %p3, %h1, %h2;" P, 0x10005, 5, 0},
    {"setp.lt.f32 %p3, %f1, %f2;" P, 0x7fc00000, 0, 0},
    {"setp.ltu.f32 %p3, %f1, %f2;" P, 0x7fc00000, 0, 1},
    {"setp.nan.f64 %p3, %d1, %d2;" P, 0, 0, 0},
    {"setp.eq.s32 %p1, %r1, 1; setp.eq.s32 %p2, %r2, 1; xor.pred %p3, %p1, %p2; not.pred %p3, %p3;" P, 1, 2, 0},
    {"setp.eq.s32 %p1, %r1, 1; @%p1 mov.u64 %rd3, 5; @!%p1 mov.u64 %rd3, 6;", 1, 0, 5},
    {"setp.eq.s32 %p1, %r1, 1; @%p1 mov.u64 %rd3, 5; @!%p1 mov.u64 %rd3, 6;", 2, 0, 6},
    {"L: add.s64 %rd3, %rd3, %rd1; sub.s32 %r2, %r2, 1; setp.ne.s32 %p1, %r2, 0; @%p1 bra L;", 3, 4, 12},
    {"setp.ne.s32 %p1, %r1, 0; @!%p1 bra M; mov.u64 %rd3, 1; bra.uni N; M: mov.u64 %rd3, 2; N:", 0, 0, 2},
    {"st.shared.u64 [box+8], %rd1; ld.shared.s8 %r3, [box+9];" W, 0x8000, 0, 0xffffff80},
    {"mov.u64 %rd4, box; st.shared.b16 [%rd4+6], %r1; ld.shared.u16 %rd3, [box+6];", 0x12345678, 0, 0x5678},
    {"mov.u64 %rd4, box; cvta.shared.u64 %rd5, %rd4; st.u32 [%rd5], %r1; ld.volatile.shared.u32 %rd3, [box];", 77, 0, 77},
    {"st.global.u32 [%rd0], %r1; cvta.to.global.u64 %rd4, %rd0; ld.global.nc.u32 %rd3, [%rd4];", 78, 0, 78},
    {"add.s64 %rd4, %rd0, 4; st.global.f32 [%rd4+-4], %f1; ld.f32 %f3, [%rd0];" F, 0x3f800000, 0, 0x3f800000},
    {"mov.u32 %r3, %ntid.x; mov.u32 %r2, %nctaid.x; add.s32 %r3, %r3, %r2;" W, 0, 0, THREADS + 1},
    {"mov.u64 %rd3, 0xFFFFFFFFFFFFFFFF; /* a\ncomment */ bar.sync 0; membar.gl;", 0, 0, UINT64_MAX},
    {"ld.param.u32 %r3, [a+4];" W, 0x0000000900000000, 0, 9},
    {".pragma \"nounroll\"; ld.param.s8 %rd3, [a];", 0xff, 0, UINT64_MAX},
};

void test_instructions(void) {
  begin();
  address out = allocate(THREADS * 8);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    handle module, function;
    if (load(&module, with_body(cases[i].body))) {
      fprintf(stderr, "%s: refused: %s\n", cases[i].body, message);
      wrong++;
      continue;
    }
    uint64_t a = cases[i].a, b = cases[i].b, got[THREADS];
    void *arguments[] = {&out, &a, &b};
    OK(cuModuleGetFunction(&function, module, "test"));
    OK(cuLaunchKernel(function, 1, 1, 1, THREADS, 1, 1, 0, NULL, arguments, NULL));
    OK(cuMemcpyDtoH_v2(got, out, sizeof got));
    for (int t = 0; t < THREADS; t++)
      if (got[t] != cases[i].want) {
        fprintf(stderr, "%s: thread %d: %#llx, want %#llx\n", cases[i].body, t, (unsigned long long)got[t], (unsigned long long)cases[i].want);
        wrong++;
        break;
      }
    OK(cuModuleUnload(module));
  }
  end();
}

/* What the compiler must say, and with which result. In a body, the first line is line 11. */
static const struct {
  const char *text;
  bool body;
  int result;
  const char *words;
} refusals[] = {
    {"\n  frobnicate.b32 %r1, %r2;", true, 218, "line 12; error   : Not a name of any known instruction: 'frobnicate.b32'"},
    {"add.q32 %r1, %r2, %r2;", true, 218, "line 11; error   : Unexpected instruction types specified for 'add.q32'"},
    {"add.s32 %r1, %r2, %r9;", true, 218, "line 11; error   : Unknown symbol '%r9'"},
    {"add.s32 %r1, %r2, %r4;", true, 218, "Unknown symbol '%r4'"},
    {"add.s32 %r1, %r2, %r01;", true, 218, "Unknown symbol '%r01'"},
    {"add.s32 %r1, %r2, %rd1;", true, 218, "Arguments mismatch for instruction 'add'"},
    {"add.s64 %r1, %rd2, %rd1;", true, 218, "Arguments mismatch for instruction 'add'"},
    {"add.s32 %r1, %r2, %f1;", true, 218, "Arguments mismatch"},
    {"add.s32 %r1, %r2, %p1;", true, 218, "Arguments mismatch"},
    {"add.s32 %r1, %r2;", true, 218, "Arguments mismatch"},
    {"add.s32 %r1, %r2, %r2, %r2;", true, 218, "Arguments mismatch"},
    {"add.f32 %f1, %f2, 1;", true, 218, "Arguments mismatch"},
    {"add.s32 %r1, %r2, 0f3F800000;", true, 218, "Arguments mismatch"},
    {"add.s32 5, %r2, %r1;", true, 218, "Parsing error near '5': syntax error"},
    {"mov.u32 %tid.x, %r2;", true, 218, "Arguments mismatch"},
    {"mov.u32 %r1, %tid.w;", true, 218, "Unknown symbol '%tid.w'"},
    {"mul.wide.u32 %r1, %r2, %r2;", true, 218, "Arguments mismatch"},
    {"selp.b32 %r1, %r2, %r2, %r2;", true, 218, "Arguments mismatch"},
    {"ld.global.u64 %r1, [%rd1];", true, 218, "Arguments mismatch"},
    {"ld.global.f32 %r1, [%r1];", true, 218, "Arguments mismatch"},
    {"ld.global.u32 %r1, %rd1;", true, 218, "Parsing error near '%rd1'"},
    {"ld.param.u64 %rd1, [c];", true, 218, "Unknown symbol 'c'"},
    {"ld.param.u64 %rd1, [a+4];", true, 218, "Arguments mismatch"},
    {"ld.shared.u32 %r1, [bag];", true, 218, "Unknown symbol 'bag'"},
    {"@%r1 bra L; L:", true, 218, "Arguments mismatch"},
    {"bra NOWHERE;", true, 218, "line 11; error   : Unknown symbol 'NOWHERE'"},
    {"L: L:", true, 218, "Duplicate definition of label 'L'"},
    {".reg .b32 %r<2>;", true, 218, "Duplicate definition of variable '%r'"},
    {"bar.sync 16;", true, 218, "Arguments mismatch"},
    {"mov.u32 %r1, 1", true, 218, "line 12; fatal   : Parsing error near 'st.global.u64': syntax error"},
    {".shared .align 4 .b8 huge[60000];", true, 218, "uses too much shared data"},
    {".version 8.5\n.target sm_70\n", false, 222, "line 1; fatal   : Unsupported .version 8.5; current version is '8.4'"},
    {".version 6.0\n.target sm_75\n", false, 209, "line 2; fatal   : SM version specified by .target is higher than default SM version assumed"},
    {".version 5.0\n.target sm_70\n", false, 218, "PTX .version 6.0 or later is required"},
    {".version 6.0\n.target sm_70\n.address_size 32\n", false, 218, "32-bit"},
    {HEAD ".visible .func f() { }", false, 218, "line 4; fatal   : Parsing error near '.func'"},
    {HEAD ".visible .entry f(", false, 218, "syntax error"},
    {HEAD ".visible .entry f() { ret;", false, 218, "syntax error"},
    {"no PTX at all", false, 218, "line 1; fatal   : Parsing error near 'no'"},
    {"", false, 218, "syntax error"},
    {"\177ELF", false, 209, ""},
};

/* Every prefix of the kernels' text is refused or compiled, never more than read. */
static void test_prefixes(void) {
  size_t length = strlen(ptx);
  for (size_t cut = 0; cut < length; cut += 7) {
    char *part = malloc(cut + 1);
    memcpy(part, ptx, cut);
    part[cut] = 0;
    handle module;
    if (!load(&module, part))
      OK(cuModuleUnload(module));
    free(part);
  }
}

void test_refusals(void) {
  begin();
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    handle module;
    int result = load(&module, refusals[i].body ? with_body(refusals[i].text) : refusals[i].text);
    if (result != refusals[i].result || !strstr(message, refusals[i].words)) {
      fprintf(stderr, "%s: %d, %s\n  want %d, %s\n", refusals[i].text, result, message, refusals[i].result, refusals[i].words);
      wrong++;
    }
  }
  GIVES(218, cuModuleLoadData(&(handle){NULL}, "no PTX"));
  char log[8];
  int options[] = {5, 6};
  void *values[] = {log, (void *)sizeof log};
  GIVES(218, cuModuleLoadDataEx(&(handle){NULL}, "no PTX", 2, options, values));
  WANT(!strcmp(log, "ptxas a"));
  handle module;
  OK(load(&module, ptx));
  GIVES(500, cuModuleGetFunction(&(handle){NULL}, module, "nonesuch"));
  OK(cuModuleUnload(module));
  GIVES(400, cuModuleUnload(module));
  test_prefixes();
  end();
}
