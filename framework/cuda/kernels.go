package cuda

import _ "embed"

// ptx is kernels.cl compiled, for compute capability 7.0 (Volta) and everything newer: the
// driver compiles it for the device at hand. It is made anew by
//
//	clang-14 --target=nvptx64-nvidia-cuda -x cl -cl-std=CL2.0 -O2 -fno-unroll-loops \
//	  -Xclang -target-cpu -Xclang sm_70 -Xclang -target-feature -Xclang +ptx60 -S -o kernels.ptx kernels.cl
//
//go:embed kernels.ptx
var ptx string

// The kernels' names, as in kernels.cl.
const (
	vectorAdd     = "vector_add"
	matrixProduct = "matrix_product"
	patternWrite  = "pattern_write"
	patternCheck  = "pattern_check"
)

// tile is how many rows and columns a block of matrix_product computes.
const tile = 16
