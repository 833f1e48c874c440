package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"sotto/media/protect"
)

var errAnswer = errors.New("wrong answer")

// primitiveChecks are the cryptographic primitives, by the answers of their
// standards.
func primitiveChecks() []check {
	return []check{
		{"SHA-256 (RFC 6234)", checkSHA256},
		{"SHA-384 (RFC 6234)", checkSHA384},
		{"HMAC-SHA-256 and HMAC-SHA-384 (RFC 4231)", checkHMAC},
		{"AES-128 and AES-256 (FIPS 197)", checkAES},
		{"AES counter mode (RFC 3711)", checkCounterMode},
		{"X25519 (RFC 7748)", checkX25519},
		{"P-256 (RFC 5903)", checkP256},
		{"SRTP seal and open (RFC 3711)", checkSRTP},
	}
}

// unhex decodes a constant of these files.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("sotto: self-test constant: " + err.Error())
	}
	return b
}

func expect(got []byte, want string) error {
	if !bytes.Equal(got, unhex(want)) {
		return errAnswer
	}
	return nil
}

func checkSHA256() error {
	sum := sha256.Sum256([]byte("abc"))
	return expect(sum[:], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
}

func checkSHA384() error {
	sum := sha512.Sum384([]byte("abc"))
	return expect(sum[:], "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7")
}

// checkHMAC is RFC 4231 §4.3.
func checkHMAC() error {
	short := hmac.New(sha256.New, []byte("Jefe"))
	short.Write([]byte("what do ya want for nothing?"))
	long := hmac.New(sha512.New384, []byte("Jefe"))
	long.Write([]byte("what do ya want for nothing?"))
	return errors.Join(
		expect(short.Sum(nil), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
		expect(long.Sum(nil), "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"))
}

func checkAES() error {
	plain := unhex("00112233445566778899aabbccddeeff")
	for key, want := range map[string]string{
		"000102030405060708090a0b0c0d0e0f":                                 "69c4e0d86a7b0430d8cdb78070b4c55a",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f": "8ea2b7ca516745bfeafc49904b496089",
	} {
		block, err := aes.NewCipher(unhex(key))
		if err != nil {
			return err
		}
		var out [aes.BlockSize]byte
		block.Encrypt(out[:], plain)
		if err := expect(out[:], want); err != nil {
			return err
		}
		block.Decrypt(out[:], out[:])
		if !bytes.Equal(out[:], plain) {
			return errAnswer
		}
	}
	return nil
}

// checkCounterMode is RFC 3711 §B.2.
func checkCounterMode() error {
	block, err := aes.NewCipher(unhex("2b7e151628aed2a6abf7158809cf4f3c"))
	if err != nil {
		return err
	}
	stream := make([]byte, 48)
	cipher.NewCTR(block, unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000")).XORKeyStream(stream, stream)
	return expect(stream, "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0")
}

// checkX25519 is RFC 7748 §6.1.
func checkX25519() error {
	return checkECDH(ecdh.X25519(),
		"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
		"4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
}

// checkP256 is RFC 5903 §8.1.
func checkP256() error {
	return checkECDH(ecdh.P256(),
		"c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
		"04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
		"d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de")
}

func checkECDH(curve ecdh.Curve, private, public, shared string) error {
	ours, err := curve.NewPrivateKey(unhex(private))
	if err != nil {
		return err
	}
	theirs, err := curve.NewPublicKey(unhex(public))
	if err != nil {
		return err
	}
	got, err := ours.ECDH(theirs)
	if err != nil {
		return err
	}
	return expect(got, shared)
}

// checkSRTP seals one packet under the master key of RFC 3711 §B.3 and does
// the same by hand with the session keys that stand there. What comes out must
// open once, and not after a change.
func checkSRTP() error {
	const profile = protect.AESCM128HMACSHA1_80
	key, salt := unhex("e1f97a0d3e018be0d64fa32c06de4139"), unhex("0ec675ad498afeebb6960b3aabe6")
	plain := append(unhex("800f1234decafbadcafebabe"), "what we say is between us"...)
	sealer, err := protect.NewSealer(profile, key, salt)
	if err != nil {
		return err
	}
	defer sealer.Close()
	sealed := append(bytes.Clone(plain), make([]byte, profile.TagLen())...)
	n, err := sealer.Seal(sealed, len(plain))
	if err != nil {
		return err
	}
	if want, err := sealByHand(plain); err != nil || !bytes.Equal(sealed[:n], want) {
		return errors.Join(errAnswer, err)
	}
	opener, err := protect.NewOpener(profile, key, salt)
	if err != nil {
		return err
	}
	defer opener.Close()
	forged := bytes.Clone(sealed)
	forged[len(plain)-1] ^= 1
	if _, err := opener.Open(forged); !errors.Is(err, protect.ErrAuth) {
		return fmt.Errorf("a forged packet gives %w", err)
	}
	replayed := bytes.Clone(sealed)
	if n, err := opener.Open(sealed); err != nil || !bytes.Equal(sealed[:n], plain) {
		return errors.Join(errAnswer, err)
	}
	if _, err := opener.Open(replayed); !errors.Is(err, protect.ErrReplay) {
		return fmt.Errorf("a replayed packet gives %w", err)
	}
	return nil
}

// sealByHand protects the first packet of a stream as RFC 3711 §4 says, with
// the session keys of RFC 3711 §B.3.
func sealByHand(plain []byte) ([]byte, error) {
	const header = 12
	block, err := aes.NewCipher(unhex("c61e7a93744f39ee10734afe3ff7a087"))
	if err != nil {
		return nil, err
	}
	counter := append(unhex("30cbbc08863d8c85d49db34a9ae1"), 0, 0)
	for i, b := range plain[8:header] { // SSRC
		counter[4+i] ^= b
	}
	for i, b := range plain[2:4] { // the packet's index, whose upper part is 0
		counter[12+i] ^= b
	}
	out := bytes.Clone(plain)
	cipher.NewCTR(block, counter).XORKeyStream(out[header:], out[header:])
	mac := hmac.New(sha1.New, unhex("cebe321f6ff7716b6fd4ab49af256a156d38baa4"))
	mac.Write(binary.BigEndian.AppendUint32(bytes.Clone(out), 0))
	return mac.Sum(out)[:len(plain)+protect.AESCM128HMACSHA1_80.TagLen()], nil
}
