#include "textflag.h"

// func foldBlocks(p *byte, n int, crc uint64, k512, k128 *factors, out *[16]byte)
//
// SI next byte, CX bytes left, X0-X3 the four registers, X8 factors for 512 bits,
// X9 for 128 bits.
TEXT ·foldBlocks(SB), NOSPLIT, $0-48
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ crc+16(FP), X4
	MOVQ k512+24(FP), AX
	MOVQ k128+32(FP), BX
	MOVQ out+40(FP), DI
	MOVOU (AX), X8
	MOVOU (BX), X9

	MOVOU (SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	PXOR  X4, X0
	ADDQ  $64, SI
	SUBQ  $64, CX
	JZ    join

loop:
	MOVOA     X0, X4
	MOVOA     X1, X5
	MOVOA     X2, X6
	MOVOA     X3, X7
	PCLMULQDQ $0x00, X8, X0
	PCLMULQDQ $0x00, X8, X1
	PCLMULQDQ $0x00, X8, X2
	PCLMULQDQ $0x00, X8, X3
	PCLMULQDQ $0x11, X8, X4
	PCLMULQDQ $0x11, X8, X5
	PCLMULQDQ $0x11, X8, X6
	PCLMULQDQ $0x11, X8, X7
	MOVOU     (SI), X10
	MOVOU     16(SI), X11
	MOVOU     32(SI), X12
	MOVOU     48(SI), X13
	PXOR      X4, X0
	PXOR      X5, X1
	PXOR      X6, X2
	PXOR      X7, X3
	PXOR      X10, X0
	PXOR      X11, X1
	PXOR      X12, X2
	PXOR      X13, X3
	ADDQ      $64, SI
	SUBQ      $64, CX
	JNZ       loop

join:
	// X0 over X1, that over X2, that over X3.
	MOVOA     X0, X4
	PCLMULQDQ $0x00, X9, X0
	PCLMULQDQ $0x11, X9, X4
	PXOR      X4, X0
	PXOR      X1, X0
	MOVOA     X0, X4
	PCLMULQDQ $0x00, X9, X0
	PCLMULQDQ $0x11, X9, X4
	PXOR      X4, X0
	PXOR      X2, X0
	MOVOA     X0, X4
	PCLMULQDQ $0x00, X9, X0
	PCLMULQDQ $0x11, X9, X4
	PXOR      X4, X0
	PXOR      X3, X0
	MOVOU     X0, (DI)
	RET
