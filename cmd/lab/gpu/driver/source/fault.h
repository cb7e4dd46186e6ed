/* What the environment says about the simulated devices: how many, and what is wrong.

     SIMULATED_GPU_UUIDS  the visible devices, UUIDs with commas between
     SIMULATED_GPU_FAULT  what goes wrong, names of faults with commas between (fault.c) */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_DEVICES 16
#define UUID_TEXT 41 /* "GPU-" and 36 characters, and the end */

enum fault {
  FAULT_NO_DEVICE, FAULT_TWO_VISIBLE, FAULT_DRIVER_OLD, FAULT_DRIVER_MISMATCH, FAULT_JIT_REFUSES,
  FAULT_WRONG_SUM, FAULT_WRONG_PRODUCT, FAULT_MEMORY_BIT, FAULT_ECC, FAULT_HANG_INIT,
  FAULT_HANG_KERNEL, FAULT_FABRIC, FAULT_BUSY, FAULT_NO_MEMORY, FAULT_CRASH, FAULT_THROTTLE,
};

bool fault_is(enum fault fault);

/* The visible devices; their UUIDs as text and as 16 bytes. */
int visible_devices(void);
void visible_uuid(int device, char text[UUID_TEXT]);
void visible_uuid_bytes(int device, unsigned char bytes[16]);

/* Never returns. */
void fault_hang(void);

/* Dies as a driver with a bad pointer does. */
void fault_crash(void);

/* After a kernel of this name wrote count floats: makes one of them wrong, if a fault says so. */
void fault_spoil(const char *kernel, float *result, uint64_t count);

/* After anything wrote to a device's memory of that many bytes: drops the sick bit. */
void fault_drop_bit(unsigned char *memory, uint64_t bytes);

#endif
