/* cuInit, versions and what is asked of devices. */
#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "memory.h"

static bool initialized;

API CUresult cuInit(unsigned flags) {
  if (flags)
    return CUDA_ERROR_INVALID_VALUE;
  if (fault_is(FAULT_HANG_INIT))
    fault_hang();
  if (fault_is(FAULT_DRIVER_MISMATCH))
    return CUDA_ERROR_SYSTEM_DRIVER_MISMATCH;
  if (fault_is(FAULT_FABRIC))
    return CUDA_ERROR_SYSTEM_NOT_READY;
  if (fault_is(FAULT_NO_DEVICE))
    return CUDA_ERROR_NO_DEVICE;
  LOCKED;
  initialized = true;
  return CUDA_SUCCESS;
}

int driver_ptx_version(void) { return fault_is(FAULT_DRIVER_OLD) ? 50 : 84; }

/* Needs no cuInit. */
API CUresult cuDriverGetVersion(int *version) {
  if (!version)
    return CUDA_ERROR_INVALID_VALUE;
  *version = fault_is(FAULT_DRIVER_OLD) ? 8000 : 12040;
  return CUDA_SUCCESS;
}

CUresult device_check(CUdevice device) {
  if (!initialized)
    return CUDA_ERROR_NOT_INITIALIZED;
  return device >= 0 && device < visible_devices() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

API CUresult cuDeviceGetCount(int *count) {
  LOCKED;
  if (!initialized)
    return CUDA_ERROR_NOT_INITIALIZED;
  if (!count)
    return CUDA_ERROR_INVALID_VALUE;
  *count = visible_devices();
  return CUDA_SUCCESS;
}

API CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  LOCKED;
  CUresult result = device_check(ordinal);
  if (result)
    return result;
  if (!device)
    return CUDA_ERROR_INVALID_VALUE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

API CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  LOCKED;
  CUresult result = device_check(device);
  if (result)
    return result;
  if (!name || length <= 0)
    return CUDA_ERROR_INVALID_VALUE;
  snprintf(name, (size_t)length, "Simulated GPU (AIV lab)");
  return CUDA_SUCCESS;
}

API CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) {
  LOCKED;
  CUresult result = device_check(device);
  if (result)
    return result;
  if (!uuid)
    return CUDA_ERROR_INVALID_VALUE;
  visible_uuid_bytes(device, uuid->bytes);
  return CUDA_SUCCESS;
}

/* Differs from the first for MIG devices only. */
API CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) { return cuDeviceGetUuid(uuid, device); }

API CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  LOCKED;
  CUresult result = device_check(device);
  if (result)
    return result;
  if (!bytes)
    return CUDA_ERROR_INVALID_VALUE;
  *bytes = MEMORY_BYTES;
  return CUDA_SUCCESS;
}

/* CUdevice_attribute: number and value. */
static const struct { int attribute, value; } attributes[] = {
    {1, 1024},       /* MAX_THREADS_PER_BLOCK */
    {2, 1024},       /* MAX_BLOCK_DIM_X */
    {3, 1024},       /* MAX_BLOCK_DIM_Y */
    {4, 64},         /* MAX_BLOCK_DIM_Z */
    {5, 2147483647}, /* MAX_GRID_DIM_X */
    {6, 65535},      /* MAX_GRID_DIM_Y */
    {7, 65535},      /* MAX_GRID_DIM_Z */
    {8, 49152},      /* MAX_SHARED_MEMORY_PER_BLOCK, bytes */
    {9, 65536},      /* TOTAL_CONSTANT_MEMORY, bytes */
    {10, 32},        /* WARP_SIZE */
    {12, 65536},     /* MAX_REGISTERS_PER_BLOCK */
    {13, 1000000},   /* CLOCK_RATE, kHz */
    {16, 1},         /* MULTIPROCESSOR_COUNT */
    {17, 0},         /* KERNEL_EXEC_TIMEOUT */
    {18, 0},         /* INTEGRATED */
    {19, 1},         /* CAN_MAP_HOST_MEMORY */
    {20, 0},         /* COMPUTE_MODE: default */
    {32, 1},         /* ECC_ENABLED */
    {34, 0},         /* PCI_DEVICE_ID */
    {36, 1000000},   /* MEMORY_CLOCK_RATE, kHz */
    {37, 64},        /* GLOBAL_MEMORY_BUS_WIDTH, bits */
    {39, 2048},      /* MAX_THREADS_PER_MULTIPROCESSOR */
    {40, 1},         /* ASYNC_ENGINE_COUNT */
    {41, 1},         /* UNIFIED_ADDRESSING */
    {50, 0},         /* PCI_DOMAIN_ID */
    {75, 7},         /* COMPUTE_CAPABILITY_MAJOR */
    {76, 0},         /* COMPUTE_CAPABILITY_MINOR */
};
#define PCI_BUS_ID 33

API CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
  LOCKED;
  CUresult result = device_check(device);
  if (result)
    return result;
  if (!value)
    return CUDA_ERROR_INVALID_VALUE;
  if (attribute == PCI_BUS_ID) {
    *value = device + 1;
    return CUDA_SUCCESS;
  }
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
    if (attributes[i].attribute == attribute) {
      *value = attributes[i].value;
      return CUDA_SUCCESS;
    }
  return CUDA_ERROR_INVALID_VALUE;
}
