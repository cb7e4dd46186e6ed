/* A simulated NVIDIA driver: libcuda.so.1 and libnvidia-ml.so.1 with the real ABI of the calls
   that the probe makes, for a lab without a GPU.

   It simulates: devices with names, UUIDs and 32 MiB of memory each; contexts; memory behind
   opaque device addresses; the JIT, which reads the PTX it is given and refuses what is wrong in
   it; kernels, by executing that PTX thread by thread on the CPU, with every address checked;
   events; the health figures of NVML; and faults (see fault.h).

   It does not simulate: time (kernels run within cuLaunchKernel; only their errors come later, as
   a GPU's do), concurrency (groups of threads run one after the other: a race or a missing barrier
   can go unseen), streams other than the default ones, other processes' use of the device, NVML's
   knowledge of this process, PTX beyond the instructions in ptx_ops.def, or launch bounds. It is
   stricter than a GPU where that finds mistakes: a kernel may touch only the very bytes of an
   allocation, all threads of a block must come to the same barrier, and a copy takes no device
   address for a host pointer. */
#ifndef DRIVER_H
#define DRIVER_H

#include <pthread.h>
#include <stdbool.h>

#include "cuda_abi.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)

/* One at a time: every call that touches shared state begins with LOCKED. */
int driver_lock(void);
void driver_unlock(int *held);
#define LOCKED int locked __attribute__((cleanup(driver_unlock), unused)) = driver_lock()

/* Returns words for the result, NULL where it is none of the driver's. */
const char *error_name(CUresult result);
const char *error_words(CUresult result);

struct context {
  struct context *next;
  int device;
  int retained;           /* how often as the primary context; 0: made by cuCtxCreate */
  CUresult broken;        /* a kernel's error: every later call in this context gives it */
  bool launched;          /* a kernel was launched that nobody waited for yet */
  struct module *modules;
};

/* Gives the device's number, or CUDA_ERROR_NOT_INITIALIZED, CUDA_ERROR_INVALID_DEVICE. */
CUresult device_check(CUdevice device);

/* Gives the calling thread's context, or why there is none to work in. */
CUresult context_current(struct context **context);

/* The PTX version that the driver reads at most, as 10 * major + minor. */
int driver_ptx_version(void);

#endif
