#include "textflag.h"

// The loops of vector.go on vectors of four. Y registers hold one vector. Lengths are in elements;
// those of whole vectors are multiples of 4.

// tailMask has four words of ones and then four of zeros: at 8*(4-n) a mask of n elements begins.
DATA tailMask<>+0(SB)/8, $-1
DATA tailMask<>+8(SB)/8, $-1
DATA tailMask<>+16(SB)/8, $-1
DATA tailMask<>+24(SB)/8, $-1
DATA tailMask<>+32(SB)/8, $0
DATA tailMask<>+40(SB)/8, $0
DATA tailMask<>+48(SB)/8, $0
DATA tailMask<>+56(SB)/8, $0
GLOBL tailMask<>(SB), RODATA|NOPTR, $64

// func avxDot(a, b *float64, n int) float64
TEXT ·avxDot(SB), NOSPLIT, $0-32
	MOVQ   a+0(FP), AX
	MOVQ   b+8(FP), BX
	MOVQ   n+16(FP), CX
	VXORPD Y0, Y0, Y0

dotVectors:
	SUBQ        $4, CX
	JLT         dotTail
	VMOVUPD     (AX), Y1
	VFMADD231PD (BX), Y1, Y0
	ADDQ        $32, AX
	ADDQ        $32, BX
	JMP         dotVectors

dotTail: // CX is the number that is left, less 4
	NEGQ        CX
	LEAQ        tailMask<>(SB), DX
	VMOVUPD     (DX)(CX*8), Y3
	VMASKMOVPD  (AX), Y3, Y1
	VMASKMOVPD  (BX), Y3, Y2
	VFMADD231PD Y2, Y1, Y0
	VHADDPD      Y0, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDSD       X1, X0, X0
	VMOVSD       X0, ret+24(FP)
	VZEROUPPER
	RET

// SUMS writes those of the elements of four vectors to at(DI): first 0+1 and 2+3 of each, then theirs.
#define SUMS(a, b, c, d, at) \
	VHADDPD    b, a, Y8           \
	VHADDPD    d, c, Y9           \
	VPERM2F128 $0x20, Y9, Y8, Y10 \
	VPERM2F128 $0x31, Y9, Y8, Y11 \
	VADDPD     Y11, Y10, Y10      \
	VMOVUPD    Y10, at(DI)

// func avxDots(out *[2 * lanes]float64, n int, a *float64, aStride int, b *float64, bStride int)
TEXT ·avxDots(SB), NOSPLIT, $0-48
	MOVQ   out+0(FP), DI
	MOVQ   n+8(FP), CX
	MOVQ   a+16(FP), AX
	MOVQ   aStride+24(FP), R8
	MOVQ   b+32(FP), BX
	MOVQ   bStride+40(FP), R9
	LEAQ   (AX)(R8*8), R10  // rows 1 to 3 of a
	LEAQ   (R10)(R8*8), R11
	LEAQ   (R11)(R8*8), R12
	LEAQ   (BX)(R9*8), R13  // row 1 of b
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3
	VXORPD Y4, Y4, Y4
	VXORPD Y5, Y5, Y5
	VXORPD Y6, Y6, Y6
	VXORPD Y7, Y7, Y7
	XORQ   SI, SI

dotsVectors:
	VMOVUPD     (BX)(SI*8), Y8
	VMOVUPD     (R13)(SI*8), Y9
	VMOVUPD     (AX)(SI*8), Y10
	VMOVUPD     (R10)(SI*8), Y11
	VMOVUPD     (R11)(SI*8), Y12
	VMOVUPD     (R12)(SI*8), Y13
	VFMADD231PD Y10, Y8, Y0
	VFMADD231PD Y11, Y8, Y1
	VFMADD231PD Y12, Y8, Y2
	VFMADD231PD Y13, Y8, Y3
	VFMADD231PD Y10, Y9, Y4
	VFMADD231PD Y11, Y9, Y5
	VFMADD231PD Y12, Y9, Y6
	VFMADD231PD Y13, Y9, Y7
	ADDQ        $4, SI
	CMPQ        SI, CX
	JLT         dotsVectors

	SUMS(Y0, Y1, Y2, Y3, 0)
	SUMS(Y4, Y5, Y6, Y7, 32)
	VZEROUPPER
	RET

// func avxAxpy(f float64, x, y *float64, n int)
TEXT ·avxAxpy(SB), NOSPLIT, $0-32
	VBROADCASTSD f+0(FP), Y0
	MOVQ         x+8(FP), AX
	MOVQ         y+16(FP), BX
	MOVQ         n+24(FP), CX

axpyVectors:
	SUBQ        $4, CX
	JLT         axpyTail
	VMOVUPD     (BX), Y1
	VFMADD231PD (AX), Y0, Y1
	VMOVUPD     Y1, (BX)
	ADDQ        $32, AX
	ADDQ        $32, BX
	JMP         axpyVectors

axpyTail:
	NEGQ        CX
	LEAQ        tailMask<>(SB), DX
	VMOVUPD     (DX)(CX*8), Y3
	VMASKMOVPD  (AX), Y3, Y1
	VMASKMOVPD  (BX), Y3, Y2
	VFMADD231PD Y1, Y0, Y2
	VMASKMOVPD  Y2, Y3, (BX)
	VZEROUPPER
	RET

// func avxAxpys(f *[lanes]float64, x *float64, stride int, y *float64, n int)
TEXT ·avxAxpys(SB), NOSPLIT, $0-40
	MOVQ         f+0(FP), DX
	MOVQ         x+8(FP), AX
	MOVQ         stride+16(FP), R8
	MOVQ         y+24(FP), BX
	MOVQ         n+32(FP), CX
	LEAQ         (AX)(R8*8), R10  // rows 1 to 3
	LEAQ         (R10)(R8*8), R11
	LEAQ         (R11)(R8*8), R12
	VBROADCASTSD (DX), Y0
	VBROADCASTSD 8(DX), Y1
	VBROADCASTSD 16(DX), Y2
	VBROADCASTSD 24(DX), Y3
	XORQ         SI, SI

axpysNext:
	VMOVUPD     (BX)(SI*8), Y4
	VFMADD231PD (R12)(SI*8), Y3, Y4
	VFMADD231PD (R11)(SI*8), Y2, Y4
	VFMADD231PD (R10)(SI*8), Y1, Y4
	VFMADD231PD (AX)(SI*8), Y0, Y4
	VMOVUPD     Y4, (BX)(SI*8)
	ADDQ        $4, SI
	CMPQ        SI, CX
	JLT         axpysNext
	VZEROUPPER
	RET

// func avxSquares(r2 *float64, n int, c *float64, stride int, z *float64, columns int)
TEXT ·avxSquares(SB), NOSPLIT, $0-48
	MOVQ r2+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ c+16(FP), AX
	MOVQ stride+24(FP), R8
	MOVQ z+32(FP), BX
	MOVQ columns+40(FP), R9
	SHLQ $3, R8

squares16:
	SUBQ    $16, CX
	JLT     squares4
	VMOVUPD (DI), Y0
	VMOVUPD 32(DI), Y1
	VMOVUPD 64(DI), Y2
	VMOVUPD 96(DI), Y3
	MOVQ    AX, R10
	XORQ    SI, SI

squares16column:
	VBROADCASTSD (BX)(SI*8), Y4
	VMOVUPD      (R10), Y5
	VMOVUPD      32(R10), Y6
	VMOVUPD      64(R10), Y7
	VMOVUPD      96(R10), Y8
	VSUBPD       Y4, Y5, Y5
	VSUBPD       Y4, Y6, Y6
	VSUBPD       Y4, Y7, Y7
	VSUBPD       Y4, Y8, Y8
	VFMADD231PD  Y5, Y5, Y0
	VFMADD231PD  Y6, Y6, Y1
	VFMADD231PD  Y7, Y7, Y2
	VFMADD231PD  Y8, Y8, Y3
	ADDQ         R8, R10
	INCQ         SI
	CMPQ         SI, R9
	JLT          squares16column
	VMOVUPD      Y0, (DI)
	VMOVUPD      Y1, 32(DI)
	VMOVUPD      Y2, 64(DI)
	VMOVUPD      Y3, 96(DI)
	ADDQ         $128, DI
	ADDQ         $128, AX
	JMP          squares16

squares4:
	ADDQ $16, CX

squares4next:
	SUBQ    $4, CX
	JLT     squaresDone
	VMOVUPD (DI), Y0
	MOVQ    AX, R10
	XORQ    SI, SI

squares4column:
	VBROADCASTSD (BX)(SI*8), Y4
	VMOVUPD      (R10), Y5
	VSUBPD       Y4, Y5, Y5
	VFMADD231PD  Y5, Y5, Y0
	ADDQ         R8, R10
	INCQ         SI
	CMPQ         SI, R9
	JLT          squares4column
	VMOVUPD      Y0, (DI)
	ADDQ         $32, DI
	ADDQ         $32, AX
	JMP          squares4next

squaresDone:
	VZEROUPPER
	RET

// func avxUnequal(r2 *float64, n int, c *float64, stride int, z, weights *float64, columns int)
TEXT ·avxUnequal(SB), NOSPLIT, $0-56
	MOVQ r2+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ c+16(FP), AX
	MOVQ stride+24(FP), R8
	MOVQ z+32(FP), BX
	MOVQ weights+40(FP), DX
	MOVQ columns+48(FP), R9
	SHLQ $3, R8

unequalNext:
	SUBQ    $4, CX
	JLT     unequalDone
	VMOVUPD (DI), Y0
	MOVQ    AX, R10
	XORQ    SI, SI

unequalColumn:
	VBROADCASTSD (BX)(SI*8), Y4
	VCMPPD       $4, (R10), Y4, Y5
	VBROADCASTSD (DX)(SI*8), Y6
	VANDPD       Y6, Y5, Y5
	VADDPD       Y5, Y0, Y0
	ADDQ         R8, R10
	INCQ         SI
	CMPQ         SI, R9
	JLT          unequalColumn
	VMOVUPD      Y0, (DI)
	ADDQ         $32, DI
	ADDQ         $32, AX
	JMP          unequalNext

unequalDone:
	VZEROUPPER
	RET

// PULL goes through the columns of c, and through the rows of each, four at a time. TERM adds to the
// partial sums in Y0; x is at (AX)(SI*8), weights are at (DX)(SI*8), and z is in all of Y4.
#define PULL(TERM) \
column: \
	VBROADCASTSD (BX), Y4       \
	VMOVUPD      (DI), Y0       \
	XORQ         SI, SI         \
next: \
	TERM                        \
	ADDQ         $4, SI         \
	CMPQ         SI, CX         \
	JLT          next           \
	VMOVUPD      Y0, (DI)       \
	ADDQ         $32, DI        \
	ADDQ         $8, BX         \
	LEAQ         (AX)(R8*8), AX \
	DECQ         R9             \
	JGT          column         \
	VZEROUPPER                  \
	RET

#define PRODUCT \
	VMOVUPD     (AX)(SI*8), Y1 \
	VSUBPD      Y4, Y1, Y1     \
	VFMADD231PD (DX)(SI*8), Y1, Y0

// func avxPull(sums *[lanes]float64, weights *float64, n int, c *float64, stride int, z *float64, columns int)
TEXT ·avxPull(SB), NOSPLIT, $0-56
	MOVQ sums+0(FP), DI
	MOVQ weights+8(FP), DX
	MOVQ n+16(FP), CX
	MOVQ c+24(FP), AX
	MOVQ stride+32(FP), R8
	MOVQ z+40(FP), BX
	MOVQ columns+48(FP), R9
	PULL(PRODUCT)

#define SQUARE \
	VMOVUPD     (AX)(SI*8), Y1     \
	VSUBPD      Y4, Y1, Y1         \
	VMULPD      (DX)(SI*8), Y1, Y2 \
	VFMADD231PD Y1, Y2, Y0

// func avxPullSquares(sums *[lanes]float64, weights *float64, n int, c *float64, stride int, z *float64, columns int)
TEXT ·avxPullSquares(SB), NOSPLIT, $0-56
	MOVQ sums+0(FP), DI
	MOVQ weights+8(FP), DX
	MOVQ n+16(FP), CX
	MOVQ c+24(FP), AX
	MOVQ stride+32(FP), R8
	MOVQ z+40(FP), BX
	MOVQ columns+48(FP), R9
	PULL(SQUARE)

#define UNEQUAL \
	VCMPPD $4, (AX)(SI*8), Y4, Y1 \
	VANDPD (DX)(SI*8), Y1, Y1     \
	VADDPD Y1, Y0, Y0

// func avxPullUnequal(sums *[lanes]float64, weights *float64, n int, c *float64, stride int, z *float64, columns int)
TEXT ·avxPullUnequal(SB), NOSPLIT, $0-56
	MOVQ sums+0(FP), DI
	MOVQ weights+8(FP), DX
	MOVQ n+16(FP), CX
	MOVQ c+24(FP), AX
	MOVQ stride+32(FP), R8
	MOVQ z+40(FP), BX
	MOVQ columns+48(FP), R9
	PULL(UNEQUAL)
