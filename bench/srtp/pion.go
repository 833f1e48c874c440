package main

import "sotto/internal/oracle"

// replayWindow is ours and libsrtp's, in packets; pion has to be told.
const replayWindow = 128

// pion is pion/srtp, which has no batches. It parses the headers itself, into
// a header that is kept, and checks replays: so it allocates nothing.
type pion struct {
	profile          string
	sealers, openers []*oracle.Context
	chunk            []pionPacket
	err              error
}

type pionPacket struct {
	context *oracle.Context
	buf     []byte
	n       int
}

func (p *pion) prepare(profile string, n int) error {
	if profile != p.profile {
		*p = pion{profile: profile}
	}
	lengths := profileNamed(profile)
	for i := len(p.sealers); i < n; i++ {
		material := keyOf(i, lengths.KeyLen()+lengths.SaltLen())
		for _, contexts := range []*[]*oracle.Context{&p.sealers, &p.openers} {
			c, err := oracle.New(profile, material[:lengths.KeyLen()], material[lengths.KeyLen():], replayWindow)
			if err != nil {
				return err
			}
			*contexts = append(*contexts, c)
		}
	}
	return nil
}

func (p *pion) seal(context int, buf []byte, n int) (int, error) {
	return p.sealers[context].Seal(buf, n)
}

func (p *pion) stage(op string, chunk []packet) {
	contexts := p.openers
	if op == protectOp {
		contexts = p.sealers
	}
	p.chunk = p.chunk[:0]
	for _, k := range chunk {
		p.chunk = append(p.chunk, pionPacket{contexts[k.context], k.buf, k.n})
	}
}

func (p *pion) run(op, _ string) {
	for i := range p.chunk {
		k := &p.chunk[i]
		var err error
		if op == protectOp {
			_, err = k.context.Seal(k.buf, k.n)
		} else {
			_, err = k.context.Open(k.buf[:k.n])
		}
		if err != nil {
			p.err = err
		}
	}
}

func (p *pion) check() error { return p.err }
