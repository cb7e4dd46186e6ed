/* The part of NVIDIA's CUDA driver ABI (cuda.h, 64-bit Linux) that the simulated libcuda.so.1
   offers: types, constants and the results of its calls. The numbers are NVIDIA's. */
#ifndef CUDA_ABI_H
#define CUDA_ABI_H

#include <stddef.h>
#include <stdint.h>

#define API __attribute__((visibility("default")))

typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct context *CUcontext;
typedef struct module *CUmodule;
typedef struct function *CUfunction;
typedef struct stream *CUstream; /* NULL, 1 and 2: the default streams; there are no others */
typedef struct event *CUevent;
typedef struct { unsigned char bytes[16]; } CUuuid;

/* cuModuleLoadDataEx's options; other options are taken and ignored. */
enum {
  CU_JIT_WALL_TIME = 2,
  CU_JIT_INFO_LOG_BUFFER = 3,
  CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES = 4,
  CU_JIT_ERROR_LOG_BUFFER = 5,
  CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
};

/* Every result: number, name, words of cuGetErrorString. */
#define CUDA_RESULTS(X) \
  X(0, CUDA_SUCCESS, "no error") \
  X(1, CUDA_ERROR_INVALID_VALUE, "invalid argument") \
  X(2, CUDA_ERROR_OUT_OF_MEMORY, "out of memory") \
  X(3, CUDA_ERROR_NOT_INITIALIZED, "initialization error") \
  X(4, CUDA_ERROR_DEINITIALIZED, "driver shutting down") \
  X(34, CUDA_ERROR_STUB_LIBRARY, "CUDA driver is a stub library") \
  X(46, CUDA_ERROR_DEVICE_UNAVAILABLE, "CUDA-capable device(s) is/are busy or unavailable") \
  X(100, CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected") \
  X(101, CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal") \
  X(200, CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid") \
  X(201, CUDA_ERROR_INVALID_CONTEXT, "invalid device context") \
  X(209, CUDA_ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device") \
  X(214, CUDA_ERROR_ECC_UNCORRECTABLE, "uncorrectable ECC error encountered") \
  X(218, CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed") \
  X(222, CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the provided PTX was compiled with an unsupported toolchain.") \
  X(400, CUDA_ERROR_INVALID_HANDLE, "invalid resource handle") \
  X(500, CUDA_ERROR_NOT_FOUND, "named symbol not found") \
  X(600, CUDA_ERROR_NOT_READY, "device not ready") \
  X(700, CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered") \
  X(701, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch") \
  X(702, CUDA_ERROR_LAUNCH_TIMEOUT, "the launch timed out and was terminated") \
  X(716, CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address") \
  X(719, CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure") \
  X(801, CUDA_ERROR_NOT_SUPPORTED, "operation not supported") \
  X(802, CUDA_ERROR_SYSTEM_NOT_READY, "system not yet initialized") \
  X(803, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, "system has unsupported display driver / cuda driver combination") \
  X(999, CUDA_ERROR_UNKNOWN, "unknown error")

typedef enum {
#define X(number, name, words) name = number,
  CUDA_RESULTS(X)
#undef X
} CUresult;

#endif
