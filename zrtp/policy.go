package zrtp

import (
	"errors"
	"fmt"
	"slices"

	"sotto/zrtp/wire"
)

// Policy says what a Session offers, what it insists on and what it refuses.
// The zero value is the default offer with nothing more asked for.
type Policy struct {
	// Offer is what we are willing to use, best first; an empty list stands
	// for that of DefaultOffer.
	Offer Offer
	// Refused is not used whoever asks for it: it is taken out of Offer, and
	// no exception is made for what RFC 6189 §5.1.5 obliges everybody to
	// support. What stays must suffice for a call.
	Refused []wire.Algo
	// PostQuantum: only key agreements that a quantum computer does not
	// break. Peers without one are refused.
	PostQuantum bool
	// RequireHelloHash: no key agreement before SetPeerHelloHash has said
	// which Hello the signalling announces (RFC 6189 §8.1).
	RequireHelloHash bool
	// AllowClear: either user may end the encryption during the call, if
	// the peer allows it too (RFC 6189 §4.7.2).
	AllowClear bool
}

// postQuantum are the key agreements with a lattice in them.
func postQuantum(keyAgreement wire.Algo) bool {
	return keyAgreement == wire.A("X1M1") || keyAgreement == wire.A("X3M3")
}

// Validate says what is wrong with a policy: that it names what is not built
// in, or that it leaves nothing of one kind.
func (p Policy) Validate() error {
	_, err := p.offer()
	return err
}

// offer is what the policy leaves of Offer and its defaults. Errors: those
// of Validate.
func (p Policy) offer() (Offer, error) {
	if err := p.Offer.Validate(); err != nil {
		return Offer{}, err
	}
	o := p.Offer.withDefaults()
	for _, list := range o.lists() {
		*list = filter(*list, func(a wire.Algo) bool { return !slices.Contains(p.Refused, a) })
		if len(*list) == 0 {
			return Offer{}, fmt.Errorf("zrtp: the policy refuses everything that it offers of one kind: %v", p.Refused)
		}
	}
	if p.PostQuantum {
		o.KeyAgreements = filter(o.KeyAgreements, func(a wire.Algo) bool { return postQuantum(a) || a == wire.Multistream })
	}
	if !slices.ContainsFunc(o.KeyAgreements, func(a wire.Algo) bool { return a != wire.Multistream && a != wire.Preshared }) {
		return Offer{}, errors.New("zrtp: the policy leaves no key agreement for a first stream")
	}
	return o, nil
}
