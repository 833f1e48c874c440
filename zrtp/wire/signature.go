package wire

import (
	"bytes"
	"fmt"
)

// A SAS signature ends a Confirm or a SASrelay (RFC 6189 §7.2). Its length
// stands in nine bits of their flag word, in words, type block included.
const (
	// MaxSignatureLen is the longest signature block in bytes.
	MaxSignatureLen = 4 * (maxSignatureWords - 1)

	maxSignatureWords  = 1<<9 - 1
	signatureShift     = 8
	signatureWordsMask = maxSignatureWords << signatureShift
)

// parseSignature reads what follows the fixed part. A type block with nothing
// after it is no signature.
func parseSignature(word uint32, b []byte) (Algo, []byte, error) {
	words := int(word & signatureWordsMask >> signatureShift)
	if len(b) != 4*words || words == 1 {
		return Algo{}, nil, fmt.Errorf("%w: %d bytes where %d words of signature belong", ErrMalformed, len(b), words)
	}
	if words == 0 {
		return Algo{}, nil, nil
	}
	return Algo(b), bytes.Clone(b[4:]), nil
}

// signatureWords is the length field for sig, in its place in the flag word.
// It panics above MaxSignatureLen, since the length would not fit.
func signatureWords(sig []byte) uint32 {
	if len(sig) > MaxSignatureLen {
		panic("wire: signature is too long to be sent")
	}
	if len(sig) == 0 {
		return 0
	}
	return uint32(1+(len(sig)+3)/4) << signatureShift
}

func appendSignature(dst []byte, t Algo, sig []byte) []byte {
	if len(sig) == 0 {
		return dst
	}
	dst = append(dst, t[:]...)
	dst = append(dst, sig...)
	return append(dst, make([]byte, -len(sig)&3)...)
}
