/* What a kernel may not do: touch what is not its own, touch it at a wrong boundary, part at a
   barrier. Told by the next call that waits; the context is broken from then on. */
#include "selftest.h"

/* Runs c = a + b over n elements and gives what the synchronizing call says. */
static int add(address a, address b, address c, unsigned n) {
  void *arguments[] = {&a, &b, &c, &n};
  OK(cuLaunchKernel(kernel("vector_add"), 1, 1, 1, 64, 1, 1, 0, NULL, arguments, NULL));
  return cuCtxSynchronize();
}

static void breaks(int result, address a, address b, address c, unsigned n) {
  GIVES(result, add(a, b, c, n));
  GIVES(result, cuCtxSynchronize());
  GIVES(result, cuMemAlloc_v2(&(address){0}, 4));
  GIVES(result, cuMemcpyDtoH_v2(&(int){0}, a, 4));
  end();
  begin();
}

static void test_bounds(void) {
  for (int which = 0; which < 7; which++) {
    address a = allocate(64 * 4), b = allocate(64 * 4), c = allocate(63 * 4);
    int host[64] = {0};
    OK(cuMemsetD8_v2(a, 0, 64 * 4));
    OK(cuMemsetD8_v2(b, 0, 64 * 4));
    OK(add(a, b, c, 63));
    switch (which) {
    case 0: breaks(700, a, b, c, 64); break;                       /* one element too many */
    case 1: breaks(700, a, b, (address)(uintptr_t)host, 63); break; /* a host pointer */
    case 2: breaks(700, 0, b, c, 63); break;
    case 3: breaks(716, a, b + 2, c, 63); break;
    case 4: breaks(700, c + (1 << 24), b, c, 63); break;
    case 5:
      OK(cuMemFree_v2(b));
      breaks(700, a, b, c, 63);
      break;
    case 6: breaks(700, a, b, c - 4, 63); break;
    }
  }
}

static const char barriers[] =
    ".version 6.0\n.target sm_70\n.address_size 64\n"
    ".entry parted() { .reg .pred %p<2>; .reg .b32 %r<2>; mov.u32 %r1, %tid.x; setp.eq.s32 %p1, %r1, 3; @%p1 bra L; bar.sync 0; L: ret; }\n"
    ".entry two() { .reg .pred %p<2>; .reg .b32 %r<2>; mov.u32 %r1, %tid.x; setp.eq.s32 %p1, %r1, 3;\n"
    "  @%p1 bra L; bar.sync 0; ret; L: bar.sync 1; ret; }\n"
    ".entry together(.param .u64 .ptr .global .align 4 out) { .reg .b32 %r<3>; .reg .b64 %rd<4>; .shared .align 4 .b8 box[256];\n"
    "  mov.u32 %r1, %tid.x; mul.wide.u32 %rd1, %r1, 4; mov.u64 %rd2, box; add.s64 %rd2, %rd2, %rd1; st.shared.u32 [%rd2], %r1;\n"
    "  bar.sync 0; xor.b32 %r2, %r1, 63; mul.wide.u32 %rd1, %r2, 4; mov.u64 %rd2, box; add.s64 %rd2, %rd2, %rd1;\n"
    "  ld.shared.u32 %r2, [%rd2]; ld.param.u64 %rd3, [out]; mul.wide.u32 %rd1, %r1, 4; add.s64 %rd3, %rd3, %rd1; st.global.u32 [%rd3], %r2; }\n"
    /* Each thread goes round as often as its number says, then all meet. */
    ".entry ways(.param .u64 out) { .reg .pred %p<3>; .reg .b32 %r<5>; .reg .b64 %rd<3>;\n"
    "  mov.u32 %r1, %tid.x; mov.u32 %r2, 0; mov.u32 %r3, 0;\n"
    "  L: setp.ge.u32 %p1, %r2, %r1; @%p1 bra M; and.b32 %r4, %r2, 1; setp.eq.s32 %p2, %r4, 0; @%p2 add.s32 %r3, %r3, %r2;\n"
    "  add.s32 %r2, %r2, 1; bra.uni L;\n"
    "  M: bar.sync 0; ld.param.u64 %rd1, [out]; mul.wide.u32 %rd2, %r1, 4; add.s64 %rd1, %rd1, %rd2; st.global.u32 [%rd1], %r3; ret; }\n"
    ".entry outside() { .reg .b32 %r<2>; .shared .align 4 .b8 box[256]; ld.shared.u32 %r1, [box+256]; }\n";

static int run_barrier_kernel(const char *name, void **arguments) {
  handle module, function;
  GIVES(0, load(&module, barriers));
  OK(cuModuleGetFunction(&function, module, name));
  OK(cuLaunchKernel(function, 1, 1, 1, 64, 1, 1, 0, NULL, arguments, NULL));
  return cuCtxSynchronize();
}

static void test_barriers(void) {
  address out = allocate(64 * 4);
  uint32_t got[64];
  OK(run_barrier_kernel("together", (void *[]){&out}));
  OK(cuMemcpyDtoH_v2(got, out, sizeof got));
  for (uint32_t i = 0; i < 64; i++)
    WANT(got[i] == (i ^ 63));
  OK(run_barrier_kernel("ways", (void *[]){&out}));
  OK(cuMemcpyDtoH_v2(got, out, sizeof got));
  for (uint32_t i = 0; i < 64; i++)
    WANT(got[i] == (i + 1) / 2 * ((i + 1) / 2 - (i > 0))); /* the even numbers below i */
  static const struct { const char *name; int result; } breaking[] = {{"parted", 719}, {"two", 719}, {"outside", 700}};
  for (int i = 0; i < 3; i++) {
    GIVES(breaking[i].result, run_barrier_kernel(breaking[i].name, NULL));
    end();
    begin();
  }
}

static void test_launches(void) {
  void *arguments[4] = {NULL};
  handle function = kernel("vector_add");
  GIVES(1, cuLaunchKernel(function, 0, 1, 1, 1, 1, 1, 0, NULL, arguments, NULL));
  GIVES(1, cuLaunchKernel(function, 1, 1, 1, 32, 33, 1, 0, NULL, arguments, NULL));
  GIVES(1, cuLaunchKernel(function, 1, 65536, 1, 1, 1, 1, 0, NULL, arguments, NULL));
  GIVES(1, cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 48 * 1024 + 1, NULL, arguments, NULL));
  GIVES(1, cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
  GIVES(400, cuLaunchKernel(arguments, 1, 1, 1, 1, 1, 1, 0, NULL, arguments, NULL));
  OK(cuCtxSynchronize());
}

void test_accesses(void) {
  begin();
  test_bounds();
  test_barriers();
  test_launches();
  end();
}
