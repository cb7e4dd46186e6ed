// The kernels with which the probe puts a GPU to the test, in OpenCL C, compiled to PTX by
// clang (the command stands in kernels.go). Floats are contracted only where fma is called by
// name: the CPU must be able to compute the same bits.
#pragma OPENCL FP_CONTRACT OFF

#define TILE 16

// c[i] = a[i] + b[i]
__kernel void vector_add(__global const float *a, __global const float *b, __global float *c, uint n) {
  uint i = __nvvm_read_ptx_sreg_ctaid_x() * __nvvm_read_ptx_sreg_ntid_x() + __nvvm_read_ptx_sreg_tid_x();
  if (i < n)
    c[i] = a[i] + b[i];
}

// c = a * b for square matrices of n rows, n a multiple of TILE, tile by tile through shared memory.
__kernel void matrix_product(__global const float *a, __global const float *b, __global float *c, uint n) {
  __local float ta[TILE][TILE], tb[TILE][TILE];
  uint x = __nvvm_read_ptx_sreg_tid_x(), y = __nvvm_read_ptx_sreg_tid_y();
  uint column = __nvvm_read_ptx_sreg_ctaid_x() * TILE + x, row = __nvvm_read_ptx_sreg_ctaid_y() * TILE + y;
  float sum = 0;
  for (uint t = 0; t < n; t += TILE) {
    ta[y][x] = a[row * n + t + x];
    tb[y][x] = b[(t + y) * n + column];
    __syncthreads();
    for (uint k = 0; k < TILE; k++)
      sum = __builtin_fmaf(ta[y][k], tb[k][x], sum);
    __syncthreads();
  }
  c[row * n + column] = sum;
}

// The pattern's word at place i: splitmix64, so that a wrong address shows as well as a wrong bit.
static ulong word(ulong i, ulong seed) {
  ulong z = (i + seed) * 0x9E3779B97F4A7C15UL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
  return z ^ (z >> 27);
}

// Writes the pattern to words words, each with the bits of flip inverted: after a pass with all
// bits of flip clear and one with all set, every bit of the memory has been 0 and 1.
__kernel void pattern_write(__global ulong *memory, ulong words, ulong seed, ulong flip) {
  ulong stride = (ulong)__nvvm_read_ptx_sreg_nctaid_x() * __nvvm_read_ptx_sreg_ntid_x();
  ulong i = (ulong)__nvvm_read_ptx_sreg_ctaid_x() * __nvvm_read_ptx_sreg_ntid_x() + __nvvm_read_ptx_sreg_tid_x();
  for (; i < words; i += stride)
    memory[i] = word(i, seed) ^ flip;
}

// Compares with the pattern. Each thread leaves how many words differ, and the first that does.
__kernel void pattern_check(__global const ulong *memory, ulong words, ulong seed, ulong flip,
                            __global ulong *wrong, __global ulong *first) {
  ulong stride = (ulong)__nvvm_read_ptx_sreg_nctaid_x() * __nvvm_read_ptx_sreg_ntid_x();
  ulong thread = (ulong)__nvvm_read_ptx_sreg_ctaid_x() * __nvvm_read_ptx_sreg_ntid_x() + __nvvm_read_ptx_sreg_tid_x();
  ulong count = 0, at = 0;
  for (ulong i = thread; i < words; i += stride)
    if (memory[i] != (word(i, seed) ^ flip)) {
      if (count == 0)
        at = i;
      count++;
    }
  wrong[thread] = count;
  first[thread] = at;
}
