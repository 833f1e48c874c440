package zidcache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"sotto/internal/secret"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// A key is selfKey, or that of a record:
//
//	1 | length of own identity (2) | own identity | peer ZID (12) | peer identity
//
// A value is sealed: payload | CRC-32C (4) of key length (2) | key | payload.
// The payload of a record has the fixed part below and then the name. Numbers
// are big-endian. An absent secret is all zeros.
const (
	formatVersion = 1 // first byte of every payload

	keyRecord   = 1
	maxIdentity = 1024

	secretLen   = 32
	secretsAt   = 2 // after version and flags
	rs1Expiry   = secretsAt + 3*secretLen
	rs2Expiry   = rs1Expiry + timeLen
	nameLenAt   = rs2Expiry + timeLen
	nameAt      = nameLenAt + 2
	maxName     = 1<<16 - 1
	timeLen     = 12 // seconds since 1970 (8), nanoseconds (4)
	checksumLen = crc32.Size
)

// The flags of a record.
const (
	flagVerified = 1 << iota
	flagRS1
	flagRS2
	flagPBX
	flagsKnown = flagVerified | flagRS1 | flagRS2 | flagPBX
)

// selfKey is where the ZID is.
func selfKey() []byte { return []byte{0} }

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	errChecksum = errors.New("checksum does not match")
	errLayout   = errors.New("not laid out as a record")
	errNewer    = errors.New("written by a newer version of this program")
)

// recordKey is the key of what own knows of peer under the ZID it showed.
func recordKey(own string, zid wire.ZID, peer string) ([]byte, error) {
	if len(own) > maxIdentity || len(peer) > maxIdentity {
		return nil, fmt.Errorf("zidcache: identity longer than %d bytes", maxIdentity)
	}
	key := make([]byte, 0, 3+len(own)+len(zid)+len(peer))
	key = append(key, keyRecord)
	key = binary.BigEndian.AppendUint16(key, uint16(len(own)))
	key = append(key, own...)
	key = append(key, zid[:]...)
	return append(key, peer...), nil
}

// checksum binds payload to key. A CRC is enough: it guards against damage,
// not against someone who may write the file; and it leaves no copy of the
// secrets behind in a hash state.
func checksum(key, payload []byte) uint32 {
	length := binary.BigEndian.AppendUint16(nil, uint16(len(key)))
	crc := crc32.Update(0, castagnoli, length)
	crc = crc32.Update(crc, castagnoli, key)
	return crc32.Update(crc, castagnoli, payload)
}

// seal appends the checksum to payload, which has the room for it.
func seal(key, payload []byte) []byte {
	return binary.BigEndian.AppendUint32(payload, checksum(key, payload))
}

// unseal gives the payload of value, which it shares.
func unseal(key, value []byte) ([]byte, error) {
	n := len(value) - checksumLen
	if n < 1 || binary.BigEndian.Uint32(value[n:]) != checksum(key, value[:n]) {
		return nil, errChecksum
	}
	if value[0] != formatVersion {
		return nil, errNewer
	}
	return value[:n], nil
}

func encodeZID(zid wire.ZID) []byte {
	return seal(selfKey(), append([]byte{formatVersion}, zid[:]...))
}

func decodeZID(value []byte) (zid wire.ZID, err error) {
	payload, err := unseal(selfKey(), value)
	if err != nil {
		return zid, err
	}
	if len(payload) != 1+len(zid) {
		return zid, errLayout
	}
	return wire.ZID(payload[1:]), nil
}

// encodeRecord makes the sealed value of r under key. The caller wipes it.
func encodeRecord(key []byte, r *zrtp.Record) ([]byte, error) {
	if len(r.Name) > maxName {
		return nil, fmt.Errorf("zidcache: name longer than %d bytes", maxName)
	}
	// The capacity is exact: growing would leave a copy that nobody wipes.
	b := make([]byte, nameAt, nameAt+len(r.Name)+checksumLen)
	b[0] = formatVersion
	if r.Verified {
		b[1] |= flagVerified
	}
	for i, s := range []*secret.Bytes{r.RS1, r.RS2, r.PBXSecret} {
		if s == nil {
			continue
		}
		if s.Len() != secretLen {
			secret.Wipe(b)
			return nil, fmt.Errorf("zidcache: secret of %d bytes, want %d", s.Len(), secretLen)
		}
		b[1] |= flagRS1 << i
		copy(b[secretsAt+i*secretLen:], s.Reveal())
	}
	putTime(b[rs1Expiry:], r.RS1Expiry)
	putTime(b[rs2Expiry:], r.RS2Expiry)
	binary.BigEndian.PutUint16(b[nameLenAt:], uint16(len(r.Name)))
	return seal(key, append(b, r.Name...)), nil
}

// decodeRecord reads a sealed value. What it accepts, encodeRecord gives back
// byte for byte. The caller owns the record.
func decodeRecord(key, value []byte) (zrtp.Record, error) {
	b, err := unseal(key, value)
	if err == nil && !laidOut(b) {
		err = errLayout
	}
	if err != nil {
		return zrtp.Record{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	load := func(i int) *secret.Bytes {
		if b[1]&(flagRS1<<i) == 0 {
			return nil
		}
		return secret.Copy(b[secretsAt+i*secretLen:][:secretLen])
	}
	return zrtp.Record{
		RS1:       load(0),
		RS2:       load(1),
		PBXSecret: load(2),
		RS1Expiry: getTime(b[rs1Expiry:]),
		RS2Expiry: getTime(b[rs2Expiry:]),
		Verified:  b[1]&flagVerified != 0,
		Name:      string(b[nameAt:]),
	}, nil
}

// laidOut says whether the payload b is one that encodeRecord makes.
func laidOut(b []byte) bool {
	if len(b) < nameAt || len(b) != nameAt+int(binary.BigEndian.Uint16(b[nameLenAt:])) {
		return false
	}
	for i := range 3 {
		s := b[secretsAt+i*secretLen:][:secretLen]
		if b[1]&(flagRS1<<i) == 0 && !zero(s) {
			return false
		}
	}
	const second = uint32(time.Second)
	return b[1]&^flagsKnown == 0 &&
		binary.BigEndian.Uint32(b[rs1Expiry+8:]) < second &&
		binary.BigEndian.Uint32(b[rs2Expiry+8:]) < second
}

func zero(b []byte) bool {
	var or byte
	for _, x := range b {
		or |= x
	}
	return or == 0
}

// putTime stores t with its nanoseconds; the zero time comes back as zero.
func putTime(b []byte, t time.Time) {
	binary.BigEndian.PutUint64(b, uint64(t.Unix()))
	binary.BigEndian.PutUint32(b[8:], uint32(t.Nanosecond()))
}

func getTime(b []byte) time.Time {
	sec, nsec := binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])
	return time.Unix(int64(sec), int64(nsec)).UTC()
}
