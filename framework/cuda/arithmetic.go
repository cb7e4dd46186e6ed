package cuda

import (
	"fmt"
	"unsafe"

	"aiv.internal/conformance/framework/probe"
)

// checkSum adds two vectors on the device and compares every element with the CPU's sum.
func (s *session) checkSum(d *device) (string, error) {
	const threads = 256
	p := s.sums()
	got, err := s.compute(d, vectorAdd, p, sumLength, grid{sumLength / threads, 1, threads, 1})
	if err != nil {
		return "", err
	}
	if count, at := difference(got, p.want); count > 0 {
		return "", wrong("sum", count, len(got), fmt.Sprintf("element %d is %v instead of %v (%v + %v)", at, got[at], p.want[at], p.a[at], p.b[at]))
	}
	return fmt.Sprintf("%d sums, none wrong", len(got)), nil
}

// checkProduct multiplies two matrices on the device, through its shared memory, and compares
// every element with the CPU's.
func (s *session) checkProduct(d *device) (string, error) {
	const n = productSize
	p := s.products()
	got, err := s.compute(d, matrixProduct, p, n, grid{n / tile, n / tile, tile, tile})
	if err != nil {
		return "", err
	}
	if count, at := difference(got, p.want); count > 0 {
		return "", wrong("element", count, len(got), fmt.Sprintf("row %d, column %d is %v instead of %v", at/n, at%n, got[at], p.want[at]))
	}
	return fmt.Sprintf("%d x %d elements, none wrong, tolerance 0", n, n), nil
}

func wrong(what string, count, of int, first string) error {
	return &probe.Trouble{Kind: probe.WrongResult, Message: fmt.Sprintf("the GPU computes wrongly: %d of %d %ss differ from the CPU's; %s. "+
		"Nothing that is computed there can be trusted: drain the node, look for Xid messages in its kernel log (dmesg), run `dcgmi diag -r 3`, and have the device replaced", count, of, what, first)}
}

// compute runs a kernel of the form kernel(a, b, c, n) and returns c.
func (s *session) compute(d *device, kernel string, p problem, n uint32, g grid) (got []float32, err error) {
	function, err := s.cuda.function(d.module, kernel)
	if err != nil {
		return nil, err
	}
	var buffers [3]memory
	for i, content := range [][]float32{p.a, p.b, p.a} { // the result's place holds what is wrong
		if buffers[i], err = s.cuda.allocate(bytesOf(content)); err != nil {
			return nil, err
		}
		if err = upload(buffers[i], content); err != nil {
			return nil, err
		}
	}
	a, b, c := buffers[0].address, buffers[1].address, buffers[2].address
	if err := s.cuda.launch(function, g, unsafe.Pointer(&a), unsafe.Pointer(&b), unsafe.Pointer(&c), unsafe.Pointer(&n)); err != nil {
		return nil, err
	}
	got = make([]float32, len(p.want))
	if err := download(got, buffers[2], 0); err != nil {
		return nil, err
	}
	for _, buffer := range buffers {
		if err := buffer.free(); err != nil {
			return nil, err
		}
	}
	return got, nil
}
