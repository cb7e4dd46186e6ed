/* libnvidia-ml.so.1: what NVML says of the simulated devices, a Volta card's answers. The ABI and
   the numbers are those of NVIDIA's nvml.h. */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fault.h"

#define API __attribute__((visibility("default")))

#define NVML_RETURNS(X) \
  X(0, NVML_SUCCESS, "Success") \
  X(1, NVML_ERROR_UNINITIALIZED, "Uninitialized") \
  X(2, NVML_ERROR_INVALID_ARGUMENT, "Invalid Argument") \
  X(3, NVML_ERROR_NOT_SUPPORTED, "Not Supported") \
  X(4, NVML_ERROR_NO_PERMISSION, "Insufficient Permissions") \
  X(6, NVML_ERROR_NOT_FOUND, "Not Found") \
  X(7, NVML_ERROR_INSUFFICIENT_SIZE, "Insufficient Size") \
  X(9, NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded") \
  X(12, NVML_ERROR_LIBRARY_NOT_FOUND, "NVML Shared Library Not Found") \
  X(13, NVML_ERROR_FUNCTION_NOT_FOUND, "Function Not Found") \
  X(15, NVML_ERROR_GPU_IS_LOST, "GPU is lost") \
  X(18, NVML_ERROR_LIB_RM_VERSION_MISMATCH, "Driver/library version mismatch") \
  X(999, NVML_ERROR_UNKNOWN, "Unknown Error")

typedef enum {
#define X(number, name, words) name = number,
  NVML_RETURNS(X)
#undef X
} nvmlReturn_t;

typedef struct device { int index; } *nvmlDevice_t;
typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct {
  unsigned pid;
  unsigned long long usedGpuMemory;
  unsigned gpuInstanceId, computeInstanceId;
} nvmlProcessInfo_t;

#define MEMORY_BYTES (32ULL << 20)
#define HOLDER_PID 4242 /* of the process that holds the GPU where it is busy */
#define NO_INSTANCE 0xFFFFFFFFU

static struct device devices[MAX_DEVICES];
static int users; /* nvmlInit_v2 not yet followed by nvmlShutdown */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static bool initialized(void) {
  pthread_mutex_lock(&mutex);
  bool yes = users > 0;
  pthread_mutex_unlock(&mutex);
  return yes;
}

static int count(void) { return fault_is(FAULT_NO_DEVICE) ? 0 : visible_devices(); }

/* What every question about a device begins with: may it be asked, and is there room for the answer? */
static nvmlReturn_t check(nvmlDevice_t device, const void *answer) {
  if (!initialized())
    return NVML_ERROR_UNINITIALIZED;
  for (int i = 0; i < count(); i++)
    if (device == &devices[i])
      return answer ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
  return NVML_ERROR_INVALID_ARGUMENT;
}
#define CHECK(device, answer) \
  nvmlReturn_t checked = check(device, answer); \
  if (checked) \
    return checked

static nvmlReturn_t text(char *buffer, unsigned length, const char *words) {
  if (!buffer)
    return NVML_ERROR_INVALID_ARGUMENT;
  if (strlen(words) >= length)
    return NVML_ERROR_INSUFFICIENT_SIZE;
  strcpy(buffer, words);
  return NVML_SUCCESS;
}

API nvmlReturn_t nvmlInit_v2(void) {
  if (fault_is(FAULT_DRIVER_MISMATCH))
    return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
  pthread_mutex_lock(&mutex);
  users++;
  for (int i = 0; i < MAX_DEVICES; i++)
    devices[i].index = i;
  pthread_mutex_unlock(&mutex);
  return NVML_SUCCESS;
}

API nvmlReturn_t nvmlShutdown(void) {
  pthread_mutex_lock(&mutex);
  nvmlReturn_t result = users > 0 ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
  users -= users > 0;
  pthread_mutex_unlock(&mutex);
  return result;
}

API const char *nvmlErrorString(nvmlReturn_t result) {
  switch (result) {
#define X(number, name, words) \
  case name: \
    return words;
    NVML_RETURNS(X)
#undef X
  }
  return "Unknown Error";
}

API nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned length) {
  if (!initialized())
    return NVML_ERROR_UNINITIALIZED;
  return text(version, length, fault_is(FAULT_DRIVER_OLD) ? "384.81" : "550.54.15");
}

API nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned length) {
  if (!initialized())
    return NVML_ERROR_UNINITIALIZED;
  return text(version, length, fault_is(FAULT_DRIVER_OLD) ? "9.384.81" : "12.550.54.15");
}

API nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *devicesVisible) {
  if (!initialized())
    return NVML_ERROR_UNINITIALIZED;
  if (!devicesVisible)
    return NVML_ERROR_INVALID_ARGUMENT;
  *devicesVisible = (unsigned)count();
  return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
  if (!initialized())
    return NVML_ERROR_UNINITIALIZED;
  if (!device || index >= (unsigned)count())
    return NVML_ERROR_INVALID_ARGUMENT;
  *device = &devices[index];
  return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
  if (!initialized())
    return NVML_ERROR_UNINITIALIZED;
  if (!uuid || !device)
    return NVML_ERROR_INVALID_ARGUMENT;
  for (int i = 0; i < count(); i++) {
    char own[UUID_TEXT];
    visible_uuid(i, own);
    if (!strcmp(own, uuid)) {
      *device = &devices[i];
      return NVML_SUCCESS;
    }
  }
  return NVML_ERROR_NOT_FOUND;
}

API nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length) {
  CHECK(device, name);
  return text(name, length, "Simulated GPU (AIV lab)");
}

API nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned length) {
  CHECK(device, uuid);
  char own[UUID_TEXT];
  visible_uuid(device->index, own);
  return text(uuid, length, own);
}

/* Sensor 0 is the GPU itself; degrees Celsius. */
API nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned sensor, unsigned *temperature) {
  CHECK(device, temperature);
  if (sensor)
    return NVML_ERROR_INVALID_ARGUMENT;
  *temperature = fault_is(FAULT_THROTTLE) ? 93 : 41;
  return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
  CHECK(device, current && pending ? current : NULL);
  *current = *pending = 1;
  return NVML_SUCCESS;
}

/* kind 0: corrected, 1: uncorrected; counter 0: since the driver was loaded, 1: ever. */
API nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, unsigned kind, unsigned counter, unsigned long long *errors) {
  CHECK(device, errors);
  if (kind > 1 || counter > 1)
    return NVML_ERROR_INVALID_ARGUMENT;
  *errors = kind == 1 && fault_is(FAULT_ECC) ? 3 : 0;
  return NVML_SUCCESS;
}

/* 0x01: idle; 0x08: hardware slowdown; 0x40: thermal, by the hardware. */
API nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *reasons) {
  CHECK(device, reasons);
  *reasons = fault_is(FAULT_THROTTLE) ? 0x08 | 0x40 : 0x01;
  return NVML_SUCCESS;
}

/* The name before NVML 12.2. */
API nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *reasons) {
  return nvmlDeviceGetCurrentClocksEventReasons(device, reasons);
}

API nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device, unsigned *mode) {
  CHECK(device, mode);
  *mode = 1;
  return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetRetiredPagesPendingStatus(nvmlDevice_t device, unsigned *pending) {
  CHECK(device, pending);
  *pending = 0;
  return NVML_SUCCESS;
}

/* Rows are remapped from Ampere on; before, pages are retired. */
API nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned *corrected, unsigned *uncorrected, unsigned *pending, unsigned *failed) {
  CHECK(device, corrected && uncorrected && pending && failed ? corrected : NULL);
  return NVML_ERROR_NOT_SUPPORTED;
}

API nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *processes, nvmlProcessInfo_t *infos) {
  CHECK(device, processes);
  unsigned room = *processes;
  *processes = fault_is(FAULT_BUSY) ? 1 : 0;
  if (room < *processes)
    return NVML_ERROR_INSUFFICIENT_SIZE;
  if (*processes && !infos)
    return NVML_ERROR_INVALID_ARGUMENT;
  if (*processes)
    infos[0] = (nvmlProcessInfo_t){HOLDER_PID, MEMORY_BYTES / 2, NO_INSTANCE, NO_INSTANCE};
  return NVML_SUCCESS;
}

/* Before Ampere there is no MIG. */
API nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
  CHECK(device, current && pending ? current : NULL);
  return NVML_ERROR_NOT_SUPPORTED;
}

API nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
  CHECK(device, memory);
  unsigned long long used = fault_is(FAULT_BUSY) ? MEMORY_BYTES / 2 : 0;
  *memory = (nvmlMemory_t){MEMORY_BYTES, MEMORY_BYTES - used, used};
  return NVML_SUCCESS;
}
