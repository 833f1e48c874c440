package wire

import (
	"encoding/binary"
	"fmt"
)

// ErrorCode says why a key agreement ended (RFC 6189 §5.9).
type ErrorCode uint32

// The codes of RFC 6189 §5.9.
const (
	ErrorMalformed               ErrorCode = 0x10
	ErrorSoftware                ErrorCode = 0x20
	ErrorVersion                 ErrorCode = 0x30
	ErrorHelloMismatch           ErrorCode = 0x40
	ErrorHashUnsupported         ErrorCode = 0x51
	ErrorCipherUnsupported       ErrorCode = 0x52
	ErrorKeyAgreementUnsupported ErrorCode = 0x53
	ErrorAuthTagUnsupported      ErrorCode = 0x54
	ErrorSASUnsupported          ErrorCode = 0x55
	ErrorNoSharedSecret          ErrorCode = 0x56
	ErrorPublicValue             ErrorCode = 0x61
	ErrorHVI                     ErrorCode = 0x62
	ErrorUntrustedMiTM           ErrorCode = 0x63
	ErrorConfirmMAC              ErrorCode = 0x70
	ErrorNonceReuse              ErrorCode = 0x80
	ErrorEqualZIDs               ErrorCode = 0x90
	ErrorSSRCCollision           ErrorCode = 0x91
	ErrorUnavailable             ErrorCode = 0xa0
	ErrorTimeout                 ErrorCode = 0xb0
	ErrorGoClear                 ErrorCode = 0x100
)

// String is the reason in plain words.
func (c ErrorCode) String() string {
	switch c {
	case ErrorMalformed:
		return "a message was malformed"
	case ErrorSoftware:
		return "the software met a critical error"
	case ErrorVersion:
		return "the ZRTP version is not supported"
	case ErrorHelloMismatch:
		return "the two Hellos have no algorithms in common"
	case ErrorHashUnsupported:
		return "the hash is not supported"
	case ErrorCipherUnsupported:
		return "the cipher is not supported"
	case ErrorKeyAgreementUnsupported:
		return "the key agreement is not supported"
	case ErrorAuthTagUnsupported:
		return "the SRTP authentication tag is not supported"
	case ErrorSASUnsupported:
		return "the SAS rendering is not supported"
	case ErrorNoSharedSecret:
		return "there is no shared secret, so Diffie-Hellman is required"
	case ErrorPublicValue:
		return "a public value is invalid: someone may be in the middle"
	case ErrorHVI:
		return "the public value is not the one committed to: someone may be in the middle"
	case ErrorUntrustedMiTM:
		return "a relayed SAS came from an untrusted middle box"
	case ErrorConfirmMAC:
		return "the confirmation failed its authentication"
	case ErrorNonceReuse:
		return "a nonce was used twice"
	case ErrorEqualZIDs:
		return "both sides have the same ZID"
	case ErrorSSRCCollision:
		return "both sides have the same SSRC"
	case ErrorUnavailable:
		return "the service is unavailable"
	case ErrorTimeout:
		return "the peer stopped answering"
	case ErrorGoClear:
		return "going clear is not allowed"
	default:
		return fmt.Sprintf("unknown error code %#x", uint32(c))
	}
}

// Error ends a key agreement (RFC 6189 §5.9).
type Error struct{ Code ErrorCode }

// ParseError reads an Error; codes beyond the table are kept as they are.
func ParseError(msg []byte) (Error, error) {
	var code [4]byte
	if err := parseMessage(msg, TypeError, [][]byte{code[:]}); err != nil {
		return Error{}, err
	}
	return Error{Code: ErrorCode(binary.BigEndian.Uint32(code[:]))}, nil
}

// Append appends the message to dst.
func (e *Error) Append(dst []byte) []byte {
	var code [4]byte
	binary.BigEndian.PutUint32(code[:], uint32(e.Code))
	return appendMessage(dst, TypeError, [][]byte{code[:]})
}
