package cuda

import (
	"math"
	"math/rand/v2"
)

const (
	// sumLength is how many elements are added.
	sumLength = 1 << 20
	// productSize is how many rows and columns the matrices have.
	productSize = 256
	// seed makes the inputs: the same ones everywhere, so that a wrong result can be repeated.
	seed = 0x41495647505501
)

// problem is what the device is given to compute, and what must come out.
type problem struct{ a, b, want []float32 }

// sumProblem adds numbers of very different sizes, so that every sum is rounded.
func sumProblem() problem {
	random := rand.New(rand.NewPCG(seed, 1))
	p := problem{make([]float32, sumLength), make([]float32, sumLength), make([]float32, sumLength)}
	for i := range p.want {
		bits := random.Uint64()
		p.a[i], p.b[i] = wide(uint32(bits)), wide(uint32(bits>>32))
		p.want[i] = p.a[i] + p.b[i]
	}
	return p
}

// wide is a float32 of any sign and fraction, between 2^-16 and 2^16 in size.
func wide(bits uint32) float32 {
	exponent := 127 - 16 + bits>>23&31
	return math.Float32frombits(bits&0x807fffff | exponent<<23)
}

// productProblem multiplies matrices of numbers between -1 and 1. The result is computed as
// the kernel does, by one fused multiply-add after the other over the rows of b: IEEE 754
// leaves no choice in that, so that the device's result must be the same to the last bit.
func productProblem() problem {
	const n = productSize
	random := rand.New(rand.NewPCG(seed, 2))
	p := problem{make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)}
	for i := range p.a {
		p.a[i], p.b[i] = 2*random.Float32()-1, 2*random.Float32()-1
	}
	for row := range n {
		sums := p.want[row*n : row*n+n]
		for k := range n {
			factor, line := float64(p.a[row*n+k]), p.b[k*n:k*n+n]
			for column := range sums[:len(line)] { // both have n, which the compiler does not see
				sums[column] = addRounded(factor*float64(line[column]), float64(sums[column]))
			}
		}
	}
	return p
}

// addRounded is the sum of a float32 and the product of two, which is exact in float64. The sum
// is rounded there, and then again to float32: twice is once, but where the first rounding hits
// the middle between two float32. It knows no subnormal results, which do not occur here.
func addRounded(product, c float64) float32 {
	sum := product + c
	if math.Float64bits(sum)&below != middle {
		return float32(sum)
	}
	return besideMiddle(product, c)
}

// below are the bits of a float64 that a float32 has not, middle is half of its last bit.
const below, middle = 1<<29 - 1, 1 << 28

// besideMiddle rounds the sum of two numbers to the side of the middle on which the exact one
// is: what the first rounding lost (Knuth's two-sum) says which that is.
func besideMiddle(a, b float64) float32 {
	sum := a + b
	part := sum - a
	lost := (a - (sum - part)) + (b - part)
	switch {
	case lost > 0:
		sum = math.Nextafter(sum, math.Inf(1))
	case lost < 0:
		sum = math.Nextafter(sum, math.Inf(-1))
	}
	return float32(sum)
}

// difference counts the elements that are not as they must be, to the bit, and finds the first.
func difference(got, want []float32) (count, first int) {
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			if count == 0 {
				first = i
			}
			count++
		}
	}
	return count, first
}

// word is what the memory holds at place i, as in kernels.cl.
func word(i, seed, flip uint64) uint64 {
	z := (i + seed) * 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	return z ^ z>>27 ^ flip
}
