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

// reasons is only read.
var reasons = map[ErrorCode]string{
	ErrorMalformed:               "a message was malformed",
	ErrorSoftware:                "the software met a critical error",
	ErrorVersion:                 "the ZRTP version is not supported",
	ErrorHelloMismatch:           "the two Hellos have no algorithms in common",
	ErrorHashUnsupported:         "the hash is not supported",
	ErrorCipherUnsupported:       "the cipher is not supported",
	ErrorKeyAgreementUnsupported: "the key agreement is not supported",
	ErrorAuthTagUnsupported:      "the SRTP authentication tag is not supported",
	ErrorSASUnsupported:          "the SAS rendering is not supported",
	ErrorNoSharedSecret:          "there is no shared secret, so Diffie-Hellman is required",
	ErrorPublicValue:             "a public value is invalid: someone may be in the middle",
	ErrorHVI:                     "the public value is not the one committed to: someone may be in the middle",
	ErrorUntrustedMiTM:           "a relayed SAS came from an untrusted middle box",
	ErrorConfirmMAC:              "the confirmation failed its authentication",
	ErrorNonceReuse:              "a nonce was used twice",
	ErrorEqualZIDs:               "both sides have the same ZID",
	ErrorSSRCCollision:           "both sides have the same SSRC",
	ErrorUnavailable:             "the service is unavailable",
	ErrorTimeout:                 "the peer stopped answering",
	ErrorGoClear:                 "going clear is not allowed",
}

// String is the reason in plain words.
func (c ErrorCode) String() string {
	if reason, ok := reasons[c]; ok {
		return reason
	}
	return fmt.Sprintf("unknown error code %#x", uint32(c))
}

// Error ends a key agreement (RFC 6189 §5.9).
type Error struct{ Code ErrorCode }

// ParseError reads an Error; codes beyond the table are kept as they are.
func ParseError(msg []byte) (Error, error) {
	var code [4]byte
	err := parseMessage(msg, TypeError, [][]byte{code[:]})
	return Error{Code: ErrorCode(binary.BigEndian.Uint32(code[:]))}, err
}

// Append appends the message to dst.
func (e *Error) Append(dst []byte) []byte {
	var code [4]byte
	binary.BigEndian.PutUint32(code[:], uint32(e.Code))
	return appendMessage(dst, TypeError, [][]byte{code[:]})
}
