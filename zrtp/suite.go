package zrtp

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"slices"

	"sotto/zrtp/internal/kex"
	"sotto/zrtp/wire"
)

// Suite is what both sides agreed to use (RFC 6189 §5.4).
type Suite struct {
	Hash, Cipher, AuthTag, KeyAgreement, SAS wire.Algo
}

func suiteOf(c *wire.Commit) Suite {
	return Suite{c.Hash, c.Cipher, c.AuthTag, c.KeyAgreement, c.SAS}
}

// String names the parts in the order of the Commit message, for people.
func (s Suite) String() string {
	return s.KeyAgreement.String() + "/" + s.Hash.String() + "/" + s.Cipher.String() +
		"/" + s.AuthTag.String() + "/" + s.SAS.String()
}

// Offer lists what we are willing to use, in order of preference. An empty
// list stands for the default of [DefaultOffer].
type Offer struct {
	Hashes, Ciphers, AuthTags, KeyAgreements, SASTypes []wire.Algo
}

// builtIn is everything this package speaks.
func builtIn() Offer {
	return Offer{
		Hashes:        algos("S512", "S384", "S256"),
		Ciphers:       algos("AES3", "AES1"),
		AuthTags:      algos("GCM", "HS80", "HS32"),
		KeyAgreements: algos("X3M3", "X1M1", "K448", "K255", "X448", "X255", "EC38", "EC25", "DH3k", "DH2k", "Mult", "Prsh"),
		SASTypes:      algos("B256", "B32", "B32E"),
	}
}

// DefaultOffer is what is offered unless somebody asks for more or less, best
// first.
func DefaultOffer() Offer {
	return Offer{
		Hashes:        algos("S384", "S256"),
		Ciphers:       algos("AES3", "AES1"),
		AuthTags:      algos("HS80", "HS32"),
		KeyAgreements: algos("X3M3", "X1M1", "X255", "EC25", "DH3k", "Mult"),
		SASTypes:      algos("B256", "B32"),
	}
}

// standard is DefaultOffer as all Sessions share it, and only read.
var standard = DefaultOffer()

// Validate checks that an offer names only what is built in, and not too much.
func (o Offer) Validate() error {
	all := builtIn()
	for i, list := range o.lists() {
		if len(*list) > 7 {
			return fmt.Errorf("zrtp: %d algorithms of one kind offered, at most 7 fit", len(*list))
		}
		known := *all.lists()[i]
		for _, a := range *list {
			if !slices.Contains(known, a) {
				return fmt.Errorf("zrtp: unknown algorithm %q; known are %v", a, known)
			}
		}
	}
	return nil
}

// implied is what every endpoint supports without saying so (RFC 6189 §5.1.2 to
// §5.1.6). It is only read.
var implied = Offer{
	Hashes:        algos("S256"),
	Ciphers:       algos("AES1"),
	AuthTags:      algos("HS32", "HS80"),
	KeyAgreements: algos("DH3k"),
	SASTypes:      algos("B32"),
}

func algos(names ...string) []wire.Algo {
	list := make([]wire.Algo, len(names))
	for i, name := range names {
		list[i] = wire.A(name)
	}
	return list
}

// newHash gives the constructor of a negotiated hash (RFC 6189 §5.1.2.1).
// Only names that passed the offer's validation come here.
func newHash(name wire.Algo) func() hash.Hash {
	switch name {
	case wire.A("S512"):
		return sha512.New
	case wire.A("S384"):
		return sha512.New384
	}
	return sha256.New
}

// cipherBits is the AES key length of a negotiated cipher (RFC 6189 §5.1.3).
func cipherBits(name wire.Algo) int {
	if name == wire.A("AES3") {
		return 256
	}
	return 128
}

// saltBits is the length of the SRTP master salt. With "GCM ", which is not in
// RFC 6189 but in libbzrtp from 5.4 on, it is that of RFC 7714 §12, and the KDF
// is asked for no more.
func saltBits(authTag wire.Algo) int {
	if authTag == wire.A("GCM") {
		return 96
	}
	return 112
}

// withDefaults fills empty lists, and copies the others: they are the caller's.
func (o Offer) withDefaults() Offer {
	for i, list := range o.lists() {
		if len(*list) == 0 {
			*list = *standard.lists()[i]
		} else {
			*list = slices.Clone(*list)
		}
	}
	return o
}

// lists gives the five lists in the order of the Hello message.
func (o *Offer) lists() [5]*[]wire.Algo {
	return [5]*[]wire.Algo{&o.Hashes, &o.Ciphers, &o.AuthTags, &o.KeyAgreements, &o.SASTypes}
}

// offerOf is what a peer's Hello, which it uses up, offers: its lists and, behind
// them, the mandatory algorithms it did not name (RFC 6189 §5.2).
func offerOf(h *wire.Hello) Offer {
	o := Offer{h.Hashes, h.Ciphers, h.AuthTags, h.KeyAgreements, h.SASTypes}
	for i, list := range o.lists() {
		for _, a := range *implied.lists()[i] {
			if !slices.Contains(*list, a) {
				*list = append(*list, a)
			}
		}
	}
	return o
}

// theirOffer is read again each time it is needed, which the first time was
// without an error: a Session that is made to wait should hold little.
func (s *Session) theirOffer() Offer {
	hello, _ := wire.ParseHello(s.theirs.hello)
	return offerOf(&hello)
}

// unsupported is the error code for each list, in the order of lists
// (RFC 6189 §5.9).
var unsupported = [5]wire.ErrorCode{
	wire.ErrorHashUnsupported, wire.ErrorCipherUnsupported, wire.ErrorAuthTagUnsupported,
	wire.ErrorKeyAgreementUnsupported, wire.ErrorSASUnsupported,
}

// fits says whether a hash may go with a key agreement: EC38 takes S384 alone
// (RFC 6189 §5.1.5).
func fits(agreement, hash wire.Algo) bool {
	return agreement != wire.A("EC38") || hash == wire.A("S384")
}

// choice is what we commit to: in a further stream what the first one has
// (RFC 6189 §4.4.3.1).
func (s *Session) choice() (Suite, wire.ErrorCode) {
	if s.call != nil {
		suite := s.call.suite
		suite.KeyAgreement = wire.Multistream
		return suite, s.permits(suite)
	}
	theirs := s.theirOffer()
	suite, code := choose(s.cfg.Policy.Offer, theirs, kex.Faster)
	if code == 0 && s.prefersPreshared(theirs) {
		suite.KeyAgreement = wire.Preshared
	}
	return suite, code
}

// choose picks the suite an initiator commits to: the key agreement by the
// rule of RFC 6189 §4.1.2, the hash by the peer's preference, the rest by
// ours. The error code names the first list without anything in common.
//
// The hash: libbzrtp computes the IDs of shared secrets with the hash that it
// would pick itself and keeps them whatever our Commit says, so only its own
// choice keeps key continuity.
func choose(ours, theirs Offer, faster func(a, b wire.Algo) bool) (Suite, wire.ErrorCode) {
	var first [5]wire.Algo
	for i, list := range ours.lists() {
		common := intersect(*list, *theirs.lists()[i])
		if len(common) == 0 {
			return Suite{}, unsupported[i]
		}
		first[i] = common[0]
	}
	hashes := intersect(theirs.Hashes, ours.Hashes)
	usable := func(agreement wire.Algo) bool {
		return withPublicValues(agreement) && slices.ContainsFunc(hashes, func(h wire.Algo) bool { return fits(agreement, h) })
	}
	mine := filter(intersect(ours.KeyAgreements, theirs.KeyAgreements), usable)
	if len(mine) == 0 {
		return Suite{}, wire.ErrorKeyAgreementUnsupported
	}
	agreement, wanted := mine[0], filter(intersect(theirs.KeyAgreements, ours.KeyAgreements), usable)[0]
	if faster(wanted, agreement) {
		agreement = wanted
	}
	hash := filter(hashes, func(h wire.Algo) bool { return fits(agreement, h) })[0]
	return Suite{Hash: hash, Cipher: first[1], AuthTag: first[2], KeyAgreement: agreement, SAS: first[4]}, 0
}

// permits says whether a committed suite is one for this stream. A further
// stream has the algorithms of the first, but no SAS of its own.
func (s *Session) permits(suite Suite) wire.ErrorCode {
	if (suite.KeyAgreement == wire.Multistream) != (s.call != nil) {
		return wire.ErrorKeyAgreementUnsupported
	}
	if s.call != nil {
		suite.SAS = s.call.suite.SAS
		for i, same := range []bool{suite.Hash == s.call.suite.Hash, suite.Cipher == s.call.suite.Cipher, suite.AuthTag == s.call.suite.AuthTag} {
			if !same {
				return unsupported[i]
			}
		}
	}
	return permits(s.cfg.Policy.Offer, s.theirOffer(), suite)
}

// permits says whether a committed suite uses only what both Hellos offered,
// and goes together; the error code names the first part that does not.
func permits(ours, theirs Offer, s Suite) wire.ErrorCode {
	committed := [5]wire.Algo{s.Hash, s.Cipher, s.AuthTag, s.KeyAgreement, s.SAS}
	for i, list := range ours.lists() {
		if !slices.Contains(*list, committed[i]) || !slices.Contains(*theirs.lists()[i], committed[i]) {
			return unsupported[i]
		}
	}
	if !fits(s.KeyAgreement, s.Hash) {
		return wire.ErrorHashUnsupported
	}
	return 0
}

// filter gives the list itself if all of it is kept.
func filter(list []wire.Algo, keep func(wire.Algo) bool) []wire.Algo {
	if !slices.ContainsFunc(list, func(a wire.Algo) bool { return !keep(a) }) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(a wire.Algo) bool { return !keep(a) })
}

// intersect keeps of a what b has too, in a's order.
func intersect(a, b []wire.Algo) []wire.Algo {
	var common []wire.Algo
	for _, x := range a {
		if slices.Contains(b, x) {
			common = append(common, x)
		}
	}
	return common
}
