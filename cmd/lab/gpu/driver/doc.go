// Package driver holds the sources of the lab's simulated NVIDIA driver, in C under source/, and
// the test of what build.sh makes of them. It has no Go code of its own: `lab` builds the
// libraries with build.sh, and nothing links them. What they simulate and what they do not is said
// in source/driver.h, the faults they know in source/fault.c.
package driver
