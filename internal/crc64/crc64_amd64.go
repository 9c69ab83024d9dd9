package crc64

import "golang.org/x/sys/cpu"

// On amd64 long inputs are folded with carry-less multiplication (Gopal et al.,
// "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction",
// Intel 2009). Four registers hold 16 bytes of message each; a block that lies n
// bits further on is absorbed by multiplying a register by x^n modulo the
// polynomial and adding the block. What is left in the end is a message of 16
// bytes with the same checksum, which the table finishes.
//
// Bits are reflected: bit i of a word stands for x^(63-i), so the product of two
// words stands for the product of the polynomials times x, and the factor for a
// shift by n is x^(n-1) mod P.

// factors are those for a register's two halves: the first (lower address,
// higher powers of x) must move 64 bits further than the second.
type factors struct{ lo, hi uint64 }

var (
	fold512 = factors{xPower(512 + 64 - 1), xPower(512 - 1)}
	fold128 = factors{xPower(128 + 64 - 1), xPower(128 - 1)}

	usePCLMUL = cpu.X86.HasPCLMULQDQ && cpu.X86.HasSSE41
)

// xPower returns x^n mod P, reflected.
func xPower(n int) uint64 {
	v := uint64(1) << 63
	for range n {
		if v&1 != 0 {
			v = v>>1 ^ poly
		} else {
			v >>= 1
		}
	}
	return v
}

// foldBlocks folds the n bytes at p, n a multiple of 64 and at least 64, after
// adding crc to their first eight, and stores the 16 bytes that remain.
//
//go:noescape
func foldBlocks(p *byte, n int, crc uint64, k512, k128 *factors, out *[16]byte)

// foldMin is the length from which folding is worth its start.
const foldMin = 256

func update(crc uint64, p []byte) uint64 {
	if len(p) < foldMin || !usePCLMUL {
		return updateGeneric(crc, p)
	}
	n := len(p) &^ 63
	var out [16]byte
	foldBlocks(&p[0], n, crc, &fold512, &fold128, &out)
	crc = updateGeneric(0, out[:])
	return updateGeneric(crc, p[n:])
}
