/* Tests the built simulated driver as a program uses it: selftest LIBRARIES KERNELS.PTX [FAULT].
   Without a fault: all that must work, and every refusal. With one, which is in the environment
   too: what that fault must show. Says what is wrong and ends with 1, or ends with 0. */
#include "selftest.h"

#include <dlfcn.h>

#define X(name, parameters) int(*name) parameters;
CALLS(X)
#undef X
const char *(*nvmlErrorString)(int);
int wrong;
char *ptx;

static void *find(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (!found) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return found;
}

static void open_libraries(const char *directory) {
  char path[4096];
  snprintf(path, sizeof path, "%s/libcuda.so.1", directory);
  void *cuda = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  snprintf(path, sizeof path, "%s/libnvidia-ml.so.1", directory);
  void *nvml = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!cuda || !nvml) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
#define X(name, parameters) *(void **)&name = find(#name[0] == 'c' ? cuda : nvml, #name);
  CALLS(X)
#undef X
  *(void **)&nvmlErrorString = find(nvml, "nvmlErrorString");
}

static void read_ptx(const char *path) {
  FILE *file = fopen(path, "r");
  ptx = calloc(1, 1 << 20);
  if (!file || !ptx || !fread(ptx, 1, (1 << 20) - 1, file)) {
    perror(path);
    exit(1);
  }
  fclose(file);
}

char message[1024];
int load(handle *module, const char *text) {
  int options[] = {5, 6, 3, 4};
  char info[64];
  void *values[] = {message, (void *)sizeof message, info, (void *)sizeof info};
  message[0] = 0;
  int result = cuModuleLoadDataEx(module, text, 4, options, values);
  WANT(strlen(message) == (size_t)values[1]);
  return result;
}

static handle kernels;

void begin(void) {
  handle context = NULL;
  OK(cuInit(0));
  OK(cuDevicePrimaryCtxRetain(&context, 0));
  OK(cuCtxSetCurrent(context));
  kernels = NULL;
}

void end(void) { OK(cuDevicePrimaryCtxRelease_v2(0)); }

handle kernel(const char *name) {
  handle function = NULL;
  if (!kernels)
    OK(load(&kernels, ptx));
  OK(cuModuleGetFunction(&function, kernels, name));
  return function;
}

address allocate(size_t bytes) {
  address a = 0;
  OK(cuMemAlloc_v2(&a, bytes));
  return a;
}

int main(int count, char **arguments) {
  if (count < 3) {
    fprintf(stderr, "usage: selftest LIBRARIES KERNELS.PTX [FAULT]\n");
    return 2;
  }
  open_libraries(arguments[1]);
  read_ptx(arguments[2]);
  if (count > 3) {
    test_fault(arguments[3]);
  } else {
    test_devices();
    test_memory();
    test_nvml();
    test_kernels();
    test_accesses();
    test_instructions();
    test_refusals();
  }
  free(ptx);
  return wrong ? 1 : 0;
}
