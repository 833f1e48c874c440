//go:build !purego

package tier

import "sotto/internal/processor"

// runs reports whether this processor has what t adds to the tier before it.
func (t Tier) runs() bool {
	switch t {
	case AESNI:
		return processor.HasAES && processor.HasAVX2
	case SHANI:
		return processor.HasSHA
	case AVX512:
		return processor.HasAVX512
	default:
		return true
	}
}
