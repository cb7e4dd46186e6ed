/* The faults, each in its one place: what they do is here, who asks for them is where fault_is
   stands in the calls. */
#include "fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {
    [FAULT_NO_DEVICE] = "no-device",             /* cuInit 100; NVML counts none */
    [FAULT_TWO_VISIBLE] = "two-visible",         /* one device more than injected */
    [FAULT_DRIVER_OLD] = "driver-old",           /* CUDA 8.0: reads PTX up to 5.0 only */
    [FAULT_DRIVER_MISMATCH] = "driver-mismatch", /* cuInit 803, nvmlInit_v2 18 */
    [FAULT_JIT_REFUSES] = "jit-refuses",         /* cuModuleLoadDataEx 218 with a log */
    [FAULT_WRONG_SUM] = "wrong-sum",             /* the last bit of one element of vector_add */
    [FAULT_WRONG_PRODUCT] = "wrong-product",     /* one element of matrix_product */
    [FAULT_MEMORY_BIT] = "memory-bit",           /* one bit of device memory always reads 0 */
    [FAULT_ECC] = "ecc",                         /* three uncorrected errors */
    [FAULT_HANG_INIT] = "hang-init",             /* cuInit never returns */
    [FAULT_HANG_KERNEL] = "hang-kernel",         /* nor do the synchronizing calls after a launch */
    [FAULT_FABRIC] = "fabric",                   /* cuInit 802 */
    [FAULT_BUSY] = "busy",                       /* no context: 46; NVML names a process */
    [FAULT_NO_MEMORY] = "no-memory",             /* cuMemAlloc_v2 2 */
    [FAULT_CRASH] = "crash",                     /* SIGSEGV while a context is made */
    [FAULT_THROTTLE] = "unhealthy-throttle",     /* too hot, slowed down by the hardware */
};

/* The sick bit lies between 12 and 16 MiB: beyond a vector addition's 12 MiB, within a memory test
   of 16 MiB, wherever the test's memory begins. */
#define SICK_BYTE (13 * 1024 * 1024 + 0x5a0c3)
#define SICK_BIT 0x10

static int list_count(const char *list) {
  int count = list && *list ? 1 : 0;
  for (; list && *list; list++)
    count += *list == ',';
  return count;
}

bool fault_is(enum fault fault) {
  const char *list = getenv("SIMULATED_GPU_FAULT");
  size_t length = strlen(names[fault]);
  while (list && *list) {
    size_t word = strcspn(list, ",");
    if (word == length && !strncmp(list, names[fault], length))
      return true;
    list += word + (list[word] == ',');
  }
  return false;
}

static int injected(void) {
  int count = list_count(getenv("SIMULATED_GPU_UUIDS"));
  return count ? count : 1;
}

int visible_devices(void) {
  int count = injected() + fault_is(FAULT_TWO_VISIBLE);
  return count < MAX_DEVICES ? count : MAX_DEVICES;
}

void visible_uuid(int device, char text[UUID_TEXT]) {
  strcpy(text, "GPU-51000000-0000-0000-0000-000000000000");
  if (device >= injected()) {
    text[UUID_TEXT - 2] = 'f'; /* the one too many */
    return;
  }
  const char *list = getenv("SIMULATED_GPU_UUIDS");
  if (!list || !*list)
    return;
  while (device-- > 0)
    list = strchr(list, ',') + 1;
  size_t length = strcspn(list, ",");
  if (length < UUID_TEXT) {
    memcpy(text, list, length);
    text[length] = 0;
  }
}

void visible_uuid_bytes(int device, unsigned char bytes[16]) {
  char text[UUID_TEXT];
  visible_uuid(device, text);
  int digits = 0;
  memset(bytes, 0, 16);
  for (const char *c = !strncmp(text, "GPU-", 4) ? text + 4 : text; *c && digits < 32; c++) {
    int digit = *c >= '0' && *c <= '9' ? *c - '0' : (*c | 32) >= 'a' && (*c | 32) <= 'f' ? (*c | 32) - 'a' + 10 : -1;
    if (digit < 0)
      continue;
    bytes[digits / 2] |= (unsigned char)(digits % 2 ? digit : digit << 4);
    digits++;
  }
}

void fault_hang(void) {
  for (;;)
    pause();
}

void fault_crash(void) {
  volatile int *volatile nowhere = NULL;
  *nowhere = 1;
  raise(SIGSEGV); /* should something be mapped there */
}

void fault_spoil(const char *kernel, float *result, uint64_t count) {
  if (!count)
    return;
  float *element = &result[4711 % count];
  if (fault_is(FAULT_WRONG_SUM) && !strcmp(kernel, "vector_add")) {
    uint32_t bits;
    memcpy(&bits, element, sizeof bits);
    bits ^= 1;
    memcpy(element, &bits, sizeof bits);
  }
  if (fault_is(FAULT_WRONG_PRODUCT) && !strcmp(kernel, "matrix_product"))
    *element = *element * 1.5f + 1;
}

void fault_drop_bit(unsigned char *memory, uint64_t bytes) {
  if (bytes > SICK_BYTE && fault_is(FAULT_MEMORY_BIT))
    memory[SICK_BYTE] &= (unsigned char)~SICK_BIT;
}
