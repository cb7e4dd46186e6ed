/* Devices, contexts, memory and NVML: what works, and what is refused with which code. */
#include "selftest.h"

#define MIB ((size_t)1 << 20)

void test_devices(void) {
  int count = 0, device = -1, value = 0, version = 0;
  size_t bytes = 0;
  char name[64] = "";
  unsigned char uuid[16];
  handle context = NULL, current = NULL;
  const char *words = NULL;
  OK(cuDriverGetVersion(&version));
  WANT(version == 12040);
  GIVES(3, cuDeviceGetCount(&count));
  GIVES(3, cuCtxCreate_v2(&context, 0, 0));
  GIVES(3, cuMemAlloc_v2(&(address){0}, 1));
  OK(cuInit(0));
  GIVES(1, cuInit(1));
  OK(cuDeviceGetCount(&count));
  WANT(count == 1);
  OK(cuDeviceGet(&device, 0));
  GIVES(101, cuDeviceGet(&device, 1));
  OK(cuDeviceGetName(name, sizeof name, 0));
  WANT(!strcmp(name, "Simulated GPU (AIV lab)"));
  OK(cuDeviceGetUuid_v2(uuid, 0));
  WANT(uuid[0] == 0x51 && uuid[15] == 0);
  OK(cuDeviceTotalMem_v2(&bytes, 0));
  WANT(bytes == 32 * MIB);
  OK(cuDeviceGetAttribute(&value, 75, 0));
  WANT(value == 7);
  GIVES(1, cuDeviceGetAttribute(&value, 100000, 0));

  GIVES(201, cuCtxSynchronize());
  OK(cuCtxCreate_v2(&context, 0, 0));
  OK(cuCtxGetCurrent(&current));
  WANT(current == context);
  OK(cuCtxSetCurrent(NULL));
  GIVES(201, cuMemAlloc_v2(&(address){0}, 1));
  OK(cuCtxSetCurrent(context));
  OK(cuStreamSynchronize(NULL));
  GIVES(400, cuStreamSynchronize((handle)&bytes));
  OK(cuCtxDestroy_v2(context));
  GIVES(201, cuCtxDestroy_v2(context));
  GIVES(201, cuCtxSynchronize());

  OK(cuGetErrorName(46, &words));
  WANT(!strcmp(words, "CUDA_ERROR_DEVICE_UNAVAILABLE"));
  OK(cuGetErrorString(100, &words));
  WANT(!strcmp(words, "no CUDA-capable device is detected"));
  GIVES(1, cuGetErrorName(12345, &words));
}

static void test_copies(void) {
  unsigned char bytes[64], back[64];
  for (int i = 0; i < 64; i++)
    bytes[i] = (unsigned char)(i * 3);
  address a = allocate(64), b = allocate(100);
  WANT(a % 256 == 0 && b % 256 == 0);
  OK(cuMemcpyHtoD_v2(a, bytes, 64));
  OK(cuMemcpyDtoD_v2(b + 36, a, 64));
  OK(cuMemcpyDtoH_v2(back, b + 36, 64));
  WANT(!memcmp(bytes, back, 64));
  OK(cuMemsetD8_v2(b + 99, 7, 1));
  OK(cuMemsetD32_v2(b + 36, 0x01020304, 2));
  OK(cuMemcpyDtoH_v2(back, b + 36, 64));
  WANT(back[0] == 4 && back[7] == 1 && back[8] == bytes[8] && back[63] == 7);
  GIVES(1, cuMemsetD32_v2(b + 2, 0, 1));
  GIVES(1, cuMemsetD8_v2(b, 0, 101));
  GIVES(1, cuMemcpyHtoD_v2(b + 37, bytes, 64));                    /* beyond the end */
  GIVES(1, cuMemcpyHtoD_v2((address)(uintptr_t)back, bytes, 64)); /* a host pointer for a device's */
  GIVES(1, cuMemcpyDtoH_v2((void *)(uintptr_t)a, b, 64));         /* and the other way round */
  GIVES(1, cuMemcpyHtoD_v2(a, NULL, 64));
  OK(cuMemFree_v2(a));
  GIVES(1, cuMemFree_v2(a));
  GIVES(1, cuMemcpyDtoH_v2(back, a, 64));
  OK(cuMemFree_v2(b));
}

void test_memory(void) {
  size_t unused, total;
  void *pinned;
  begin();
  address a = allocate(20 * MIB), b = 0, c;
  GIVES(2, cuMemAlloc_v2(&b, 20 * MIB));
  GIVES(2, cuMemAlloc_v2(&b, 33 * MIB));
  GIVES(2, cuMemAlloc_v2(&b, SIZE_MAX));
  GIVES(1, cuMemAlloc_v2(&b, 0));
  b = allocate(12 * MIB);
  OK(cuMemGetInfo_v2(&unused, &total));
  WANT(unused == 0 && total == 32 * MIB);
  GIVES(2, cuMemAlloc_v2(&c, 1));
  OK(cuMemFree_v2(a));
  WANT((c = allocate(1)) == a);
  OK(cuMemGetInfo_v2(&unused, &total));
  WANT(unused == 20 * MIB - 512);
  end(); /* frees b and c */
  begin();
  OK(cuMemGetInfo_v2(&unused, &total));
  WANT(unused == 32 * MIB);
  test_copies();
  OK(cuMemHostAlloc(&pinned, 4 * MIB, 0));
  memset(pinned, 1, 4 * MIB);
  OK(cuMemFreeHost(pinned));
  GIVES(1, cuMemFreeHost(&unused));
  OK(cuMemAllocHost_v2(&pinned, 1));
  OK(cuMemFreeHost(pinned));

  handle from, to;
  float milliseconds = -1;
  OK(cuEventCreate(&from, 0));
  OK(cuEventCreate(&to, 0));
  OK(cuEventRecord(from, NULL));
  GIVES(400, cuEventElapsedTime(&milliseconds, from, to));
  OK(cuEventRecord(to, NULL));
  OK(cuEventSynchronize(to));
  OK(cuEventElapsedTime(&milliseconds, from, to));
  WANT(milliseconds >= 0 && milliseconds < 1000);
  OK(cuEventDestroy_v2(from));
  GIVES(400, cuEventDestroy_v2(from));
  OK(cuEventDestroy_v2(to));
  end();
}

void test_nvml(void) {
  unsigned count, value, other;
  unsigned long long number, memory[3];
  handle device = NULL, same = NULL;
  char text[96];
  GIVES(1, nvmlDeviceGetCount_v2(&count));
  OK(nvmlInit_v2());
  OK(nvmlSystemGetDriverVersion(text, sizeof text));
  WANT(!strcmp(text, "550.54.15"));
  OK(nvmlSystemGetNVMLVersion(text, sizeof text));
  GIVES(7, nvmlSystemGetDriverVersion(text, 4));
  OK(nvmlDeviceGetCount_v2(&count));
  WANT(count == 1);
  OK(nvmlDeviceGetHandleByIndex_v2(0, &device));
  GIVES(2, nvmlDeviceGetHandleByIndex_v2(1, &device));
  OK(nvmlDeviceGetUUID(device, text, sizeof text));
  WANT(!strcmp(text, "GPU-51000000-0000-0000-0000-000000000000"));
  OK(nvmlDeviceGetHandleByUUID(text, &same));
  WANT(device == same);
  GIVES(6, nvmlDeviceGetHandleByUUID("GPU-0", &same));
  OK(nvmlDeviceGetName(device, text, sizeof text));
  WANT(!strcmp(text, "Simulated GPU (AIV lab)"));
  OK(nvmlDeviceGetTemperature(device, 0, &value));
  WANT(value > 0 && value < 80);
  OK(nvmlDeviceGetEccMode(device, &value, &other));
  WANT(value == 1);
  OK(nvmlDeviceGetTotalEccErrors(device, 1, 0, &number));
  WANT(number == 0);
  OK(nvmlDeviceGetCurrentClocksEventReasons(device, &number));
  WANT(number == 1);
  OK(nvmlDeviceGetCurrentClocksThrottleReasons(device, &number));
  OK(nvmlDeviceGetPersistenceMode(device, &value));
  OK(nvmlDeviceGetRetiredPagesPendingStatus(device, &value));
  GIVES(3, nvmlDeviceGetRemappedRows(device, &value, &value, &value, &value));
  GIVES(3, nvmlDeviceGetMigMode(device, &value, &other));
  value = 0;
  OK(nvmlDeviceGetComputeRunningProcesses_v3(device, &value, NULL));
  WANT(value == 0);
  OK(nvmlDeviceGetMemoryInfo(device, memory));
  WANT(memory[0] == 32 * MIB && memory[1] + memory[2] == memory[0]);
  GIVES(2, nvmlDeviceGetMemoryInfo(NULL, memory));
  WANT(!strcmp(nvmlErrorString(3), "Not Supported"));
  OK(nvmlShutdown());
  GIVES(1, nvmlShutdown());
}
