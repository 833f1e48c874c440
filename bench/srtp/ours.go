package main

import (
	"sotto/media/protect"
)

// ours is media/protect, under the tier that the process was started with.
type ours struct {
	profile  protect.Profile
	sealers  []*protect.Sealer
	openers  []*protect.Opener
	outgoing []protect.Outgoing // of the chunk in hand, if it is to be protected
	incoming []protect.Incoming // or unprotected
}

func (o *ours) prepare(profile string, n int) error {
	if p := profileNamed(profile); p != o.profile {
		for i := range o.sealers {
			o.sealers[i].Close()
			o.openers[i].Close()
		}
		*o = ours{profile: p}
	}
	for i := len(o.sealers); i < n; i++ {
		keyLen := o.profile.KeyLen()
		material := keyOf(i, keyLen+o.profile.SaltLen())
		s, err := protect.NewSealer(o.profile, material[:keyLen], material[keyLen:])
		if err != nil {
			return err
		}
		r, err := protect.NewOpener(o.profile, material[:keyLen], material[keyLen:])
		if err != nil {
			return err
		}
		o.sealers, o.openers = append(o.sealers, s), append(o.openers, r)
	}
	return nil
}

func (o *ours) seal(context int, buf []byte, n int) (int, error) {
	return o.sealers[context].Seal(buf, n)
}

func (o *ours) stage(op string, chunk []packet) {
	o.outgoing, o.incoming = o.outgoing[:0], o.incoming[:0]
	for _, p := range chunk {
		if op == protectOp {
			o.outgoing = append(o.outgoing, protect.Outgoing{Sealer: o.sealers[p.context], Packet: p.buf, N: p.n})
		} else {
			o.incoming = append(o.incoming, protect.Incoming{Opener: o.openers[p.context], Packet: p.buf[:p.n]})
		}
	}
}

func (o *ours) run(op, mode string) {
	switch op + mode {
	case protectOp + single:
		for i := range o.outgoing {
			j := &o.outgoing[i]
			j.N, j.Err = j.Sealer.Seal(j.Packet, j.N)
		}
	case unprotectOp + single:
		for i := range o.incoming {
			j := &o.incoming[i]
			j.N, j.Err = j.Opener.Open(j.Packet)
		}
	case protectOp + batch:
		for i := 0; i < len(o.outgoing); i += batchLen {
			protect.SealBatch(o.outgoing[i:min(i+batchLen, len(o.outgoing))])
		}
	case unprotectOp + batch:
		for i := 0; i < len(o.incoming); i += batchLen {
			protect.OpenBatch(o.incoming[i:min(i+batchLen, len(o.incoming))])
		}
	}
}

func (o *ours) check() error {
	for i := range o.outgoing {
		if err := o.outgoing[i].Err; err != nil {
			return err
		}
	}
	for i := range o.incoming {
		if err := o.incoming[i].Err; err != nil {
			return err
		}
	}
	return nil
}
