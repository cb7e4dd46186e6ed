// Package cuda tests GPUs through NVIDIA's driver: it opens libcuda and libnvidia-ml at run
// time, without cgo and without the CUDA toolkit, runs kernels of its own, and compares what
// they compute with the same computed on the CPU, bit by bit.
//
// It runs in cmd/probe-gpu, in a process of its own, because a driver may hang or crash:
// before every call it says which one it enters, so that who watches knows. It changes no
// setting of a device, and looks at no process of others but to count them.
package cuda
