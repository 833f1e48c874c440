package protect_test

import (
	"errors"
	"fmt"
	"log"

	"sotto/media/protect"
)

// One side seals, the other one opens, both in place.
func Example() {
	const profile = protect.AEADAES128GCM
	key, salt := make([]byte, profile.KeyLen()), make([]byte, profile.SaltLen()) // from a key agreement
	sealer, err := protect.NewSealer(profile, key, salt)
	if err != nil {
		log.Fatal(err)
	}
	defer sealer.Close()
	opener, err := protect.NewOpener(profile, key, salt)
	if err != nil {
		log.Fatal(err)
	}
	defer opener.Close()
	clear(key) // neither of them needs it any more

	var pkt [1500]byte // with room for the tag
	n := copy(pkt[:], "\x80\x60\x00\x01\x00\x00\x03\xc0\xca\xfe\x00\x01good evening")
	n, err = sealer.Seal(pkt[:], n)
	if err != nil {
		log.Fatal(err)
	}
	again := pkt

	n, err = opener.Open(pkt[:n])
	fmt.Printf("%s, %v\n", pkt[12:n], err)
	_, err = opener.Open(again[:n+profile.TagLen()])
	fmt.Println("once more:", errors.Is(err, protect.ErrReplay))
	// Output:
	// good evening, <nil>
	// once more: true
}

// A bridge opens what it has read from many sockets at once.
func ExampleOpenBatch() {
	const profile = protect.AESCM128HMACSHA1_80
	var out []protect.Outgoing
	var in []protect.Incoming
	for call := range byte(3) {
		key, salt := make([]byte, profile.KeyLen()), make([]byte, profile.SaltLen())
		key[0] = call
		sealer, err := protect.NewSealer(profile, key, salt)
		if err != nil {
			log.Fatal(err)
		}
		opener, err := protect.NewOpener(profile, key, salt)
		if err != nil {
			log.Fatal(err)
		}
		pkt := make([]byte, 1500)
		n := copy(pkt, "\x80\x60\x00\x01\x00\x00\x03\xc0\xca\xfe\x00\x01call ")
		n += copy(pkt[n:], string('A'+rune(call)))
		out = append(out, protect.Outgoing{Sealer: sealer, Packet: pkt, N: n})
		in = append(in, protect.Incoming{Opener: opener})
	}
	protect.SealBatch(out)
	for i := range in {
		in[i].Packet = out[i].Packet[:out[i].N]
	}
	in[1].Packet[20] ^= 1 // damaged on its way
	protect.OpenBatch(in)
	for _, j := range in {
		if j.Err != nil {
			fmt.Println(j.Err)
			continue
		}
		fmt.Printf("%s\n", j.Packet[12:j.N])
	}
	// Output:
	// call A
	// protect: authentication failed
	// call C
}
