/* What each fault, and two devices injected, must show. The libraries read both from the
   environment themselves. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "selftest.h"

static void init_gives(int result) { GIVES(result, cuInit(0)); }

static void no_device(void) {
  unsigned count = 9;
  init_gives(100);
  OK(nvmlInit_v2());
  OK(nvmlDeviceGetCount_v2(&count));
  WANT(count == 0);
}

static void two_visible(void) {
  int count = 0;
  unsigned char one[16], two[16];
  OK(cuInit(0));
  OK(cuDeviceGetCount(&count));
  WANT(count == 2);
  OK(cuDeviceGetUuid(one, 0));
  OK(cuDeviceGetUuid(two, 1));
  WANT(memcmp(one, two, 16));
}

/* No fault: two devices injected, each with its own memory. */
static void two_injected(void) {
  int count = 0;
  unsigned char uuid[16];
  unsigned devices = 0;
  char text[96];
  handle device, contexts[2];
  address memory[2];
  OK(cuInit(0));
  OK(cuDeviceGetCount(&count));
  WANT(count == 2);
  OK(cuDeviceGetUuid(uuid, 1));
  WANT(uuid[0] == 0xAB && uuid[1] == 0xcd && uuid[15] == 0x02);
  OK(nvmlInit_v2());
  OK(nvmlDeviceGetCount_v2(&devices));
  WANT(devices == 2);
  OK(nvmlDeviceGetHandleByIndex_v2(1, &device));
  OK(nvmlDeviceGetUUID(device, text, sizeof text));
  WANT(!strcmp(text, "GPU-ABcd0000-0000-0000-0000-000000000002"));
  for (int i = 0; i < 2; i++) {
    OK(cuDevicePrimaryCtxRetain(&contexts[i], i));
    OK(cuCtxSetCurrent(contexts[i]));
    memory[i] = allocate(32 << 20);
  }
  WANT(memory[0] != memory[1]);
  GIVES(1, cuMemsetD8_v2(memory[0], 0, 1)); /* the other device's */
  for (int i = 0; i < 2; i++)
    OK(cuDevicePrimaryCtxRelease_v2(i));
}

static void driver_old(void) {
  int version = 0;
  char text[80];
  begin();
  OK(cuDriverGetVersion(&version));
  WANT(version == 8000);
  GIVES(222, load(&(handle){NULL}, ptx));
  WANT(strstr(message, "Unsupported .version 6.0; current version is '5.0'"));
  OK(nvmlInit_v2());
  OK(nvmlSystemGetDriverVersion(text, sizeof text));
  WANT(!strcmp(text, "384.81"));
}

static void driver_mismatch(void) {
  init_gives(803);
  GIVES(18, nvmlInit_v2());
}

static void jit_refuses(void) {
  begin();
  GIVES(218, load(&(handle){NULL}, ptx));
  WANT(strstr(message, "ptxas fatal"));
}

static void wrong_sum(void) {
  begin();
  WANT(sum_errors(1 << 20) == 1);
  WANT(sum_errors(1) == 1);
  WANT(product_errors(64) == 0);
}

static void wrong_product(void) {
  begin();
  WANT(sum_errors(1 << 20) == 0);
  WANT(product_errors(256) == 1);
}

/* The sick bit is one of a word that one of two inverse patterns must set. */
static void memory_bit(void) {
  begin();
  WANT(sum_errors(1 << 20) == 0);
  WANT(pattern_errors(16 << 20, 1, 0, -1) + pattern_errors(16 << 20, 1, ~0ULL, -1) == 1);
}

static void ecc(void) {
  handle device;
  unsigned long long errors;
  OK(nvmlInit_v2());
  OK(nvmlDeviceGetHandleByIndex_v2(0, &device));
  OK(nvmlDeviceGetTotalEccErrors(device, 1, 0, &errors));
  WANT(errors == 3);
  OK(nvmlDeviceGetTotalEccErrors(device, 0, 0, &errors));
  WANT(errors == 0);
}

static void throttle(void) {
  handle device;
  unsigned long long reasons;
  OK(nvmlInit_v2());
  OK(nvmlDeviceGetHandleByIndex_v2(0, &device));
  OK(nvmlDeviceGetCurrentClocksEventReasons(device, &reasons));
  WANT(reasons == 0x48);
}

static void fabric(void) { init_gives(802); }

static void busy(void) {
  handle device, context;
  unsigned processes = 0;
  struct { unsigned pid; unsigned long long bytes; unsigned instances[2]; } holder[4] = {0};
  OK(cuInit(0));
  GIVES(46, cuCtxCreate_v2(&context, 0, 0));
  GIVES(46, cuDevicePrimaryCtxRetain(&context, 0));
  OK(nvmlInit_v2());
  OK(nvmlDeviceGetHandleByIndex_v2(0, &device));
  GIVES(7, nvmlDeviceGetComputeRunningProcesses_v3(device, &processes, NULL));
  processes = 4;
  OK(nvmlDeviceGetComputeRunningProcesses_v3(device, &processes, holder));
  WANT(processes == 1 && holder[0].pid > 0 && holder[0].bytes > 0);
}

static void no_memory(void) {
  begin();
  GIVES(2, cuMemAlloc_v2(&(address){0}, 4));
}

static void crash_now(void) { begin(); }
static void hang_init_now(void) { cuInit(0); }

static void hang_kernel_now(void) {
  begin();
  OK(cuCtxSynchronize()); /* nothing was launched yet */
  void *arguments[] = {&(address){0}, &(address){0}, &(address){0}, &(unsigned){0}};
  OK(cuLaunchKernel(kernel("vector_add"), 1, 1, 1, 1, 1, 1, 0, NULL, arguments, NULL));
  if (wrong)
    _exit(1);
  cuStreamSynchronize(NULL);
}

/* In a child, which must end by that signal; the alarm ends what hangs. */
static void ends_by(int signal, void (*what)(void)) {
  pid_t child = fork();
  if (!child) {
    alarm(1);
    what();
    _exit(0);
  }
  int status = 0;
  WANT(waitpid(child, &status, 0) == child);
  WANT(WIFSIGNALED(status) && WTERMSIG(status) == signal);
}

static void crash(void) { ends_by(SIGSEGV, crash_now); }
static void hang_init(void) { ends_by(SIGALRM, hang_init_now); }
static void hang_kernel(void) { ends_by(SIGALRM, hang_kernel_now); }

static const struct {
  const char *name;
  void (*shows)(void);
} faults[] = {
    {"two-injected", two_injected}, {"no-device", no_device}, {"two-visible", two_visible}, {"driver-old", driver_old}, {"driver-mismatch", driver_mismatch},
    {"jit-refuses", jit_refuses}, {"wrong-sum", wrong_sum}, {"wrong-product", wrong_product}, {"memory-bit", memory_bit},
    {"ecc", ecc}, {"unhealthy-throttle", throttle}, {"fabric", fabric}, {"busy", busy}, {"no-memory", no_memory},
    {"crash", crash}, {"hang-init", hang_init}, {"hang-kernel", hang_kernel},
};

void test_fault(const char *name) {
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    if (!strcmp(name, faults[i].name)) {
      faults[i].shows();
      return;
    }
  fprintf(stderr, "no test of the fault %s\n", name);
  wrong++;
}
