package cuda

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactly computes a*b+c with as many digits as it takes, and rounds once.
func exactly(a, b, c float32) float32 {
	number := func(f float32) *big.Float { return new(big.Float).SetPrec(2000).SetFloat64(float64(f)) }
	result, _ := new(big.Float).SetPrec(2000).Add(new(big.Float).SetPrec(2000).Mul(number(a), number(b)), number(c)).Float32()
	return result
}

// fma is a*b+c in float32, rounded once.
func fma(a, b, c float32) float32 { return addRounded(float64(a)*float64(b), float64(c)) }

func TestFusedMultiplyAdd(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		a, b, c := wide(random.Uint32()), wide(random.Uint32()), wide(random.Uint32())
		if got, want := fma(a, b, c), exactly(a, b, c); got != want {
			t.Fatalf("fma(%v, %v, %v) = %v, want %v", a, b, c, got, want)
		}
	}
}

// Where the sum lies a hair beside the middle of two float32, rounding twice goes wrong.
func TestFusedMultiplyAddIsRoundedOnce(t *testing.T) {
	hair := float32(math.Ldexp(1, -40))
	twiceIsWrong := 0
	for _, c := range []float32{1, -1, 1 + 1.0/(1<<23), -1 - 1.0/(1<<23), 3, 1 << 20} {
		half := math.Nextafter32(float32(math.Abs(float64(c))), math.MaxFloat32) - float32(math.Abs(float64(c)))
		for _, sign := range []float32{1, -1} {
			for _, side := range []float32{hair, -hair, 0} {
				// a*b is half the distance to the next float32, and a hair more or less.
				a, b := sign*half/2*(1+side*(1<<17)), float32(1)
				for _, b := range []float32{b, 1 + 1.0/(1<<23), 1 - 1.0/(1<<24)} {
					want := exactly(a, b, c)
					if got := fma(a, b, c); got != want {
						t.Errorf("fma(%v, %v, %v) = %v, want %v", a, b, c, got, want)
					}
					if float32(float64(a)*float64(b)+float64(c)) != want {
						twiceIsWrong++
					}
				}
			}
		}
	}
	// Less beside the middle than a float64 of that size can tell: first below it, then above.
	ulp := float32(math.Ldexp(1, -23))
	a, b := (1+ulp)*ulp/2, 1-ulp
	if got, want := fma(a, b, 1), exactly(a, b, 1); got != want {
		t.Errorf("just below the middle: %v, want %v", got, want)
	}
	a, b = (1+ulp)*float32(math.Ldexp(1, -12)), (1+ulp)*float32(math.Ldexp(1, -12))
	for _, c := range []float32{1, -1, float32(math.Ldexp(1, 30)), 0} {
		if got, want := fma(a, b, c), exactly(a, b, c); got != want {
			t.Errorf("%v: %v, want %v", c, got, want)
		}
	}
	if twiceIsWrong == 0 {
		t.Error("these numbers do not tell rounding once from rounding twice")
	}
}

func TestProblemsAreHardEnough(t *testing.T) {
	sum, product := sumProblem(), productProblem()
	for name, p := range map[string]problem{"sum": sum, "product": product} {
		seen := map[uint32]bool{}
		for i, want := range p.want {
			if math.IsNaN(float64(want)) || math.IsInf(float64(want), 0) {
				t.Fatalf("%s %d is %v", name, i, want)
			}
			seen[math.Float32bits(want)] = true
		}
		if len(seen) < len(p.want)*9/10 {
			t.Errorf("%s: %d of %d results are the same as others", name, len(p.want)-len(seen), len(p.want))
		}
	}
	// The order of the additions shows, and so does an addition that is not fused.
	const n = productSize
	for name, other := range map[string]func(row, column int) float32{
		"backwards": func(row, column int) (s float32) {
			for k := n - 1; k >= 0; k-- {
				s = fma(product.a[row*n+k], product.b[k*n+column], s)
			}
			return s
		},
		"not fused": func(row, column int) (s float32) {
			for k := range n {
				s += float32(product.a[row*n+k] * product.b[k*n+column])
			}
			return s
		},
	} {
		differ := 0
		for i := range 64 {
			if other(i, 2*i) != product.want[i*n+2*i] {
				differ++
			}
		}
		if differ < 32 {
			t.Errorf("%s: only %d of 64 differ", name, differ)
		}
	}
}

func TestDifference(t *testing.T) {
	want := []float32{1, 2, 3, 0}
	if count, _ := difference([]float32{1, 2, 3, 0}, want); count != 0 {
		t.Error("equal ones differ")
	}
	if count, first := difference([]float32{1, math.Nextafter32(2, 3), 4, float32(math.Copysign(0, -1))}, want); count != 3 || first != 1 {
		t.Errorf("%d, first %d", count, first)
	}
	if count, _ := difference([]float32{float32(math.NaN()), 2, 3, 0}, want); count != 1 {
		t.Error("NaN is not wrong")
	}
}

func TestFirstWrongWord(t *testing.T) {
	if count, place := firstOf([]uint64{0, 2, 0, 1}, []uint64{0, 9, 0, 3}); count != 3 || place != 3 {
		t.Errorf("%d, first %d", count, place)
	}
	if count, _ := firstOf(make([]uint64, 4), make([]uint64, 4)); count != 0 {
		t.Errorf("%d", count)
	}
}

func BenchmarkProductProblem(b *testing.B) {
	for b.Loop() {
		productProblem()
	}
}

func BenchmarkSumProblem(b *testing.B) {
	for b.Loop() {
		sumProblem()
	}
}
