package main

import (
	"slices"

	"sotto/internal/libsrtp"
)

// startLibsrtp starts Debian's libsrtp.
func startLibsrtp() (subject, string, error) {
	peer, err := libsrtp.Start()
	if err != nil {
		return subject{}, "", err
	}
	s := subject{
		name:  libsrtpName,
		modes: []string{single},
		has:   func(profile string) bool { return slices.Contains(libsrtp.Profiles, profile) },
		close: peer.Close,
		take: func(c cell, _ string) (sample, error) {
			l := libsrtp.Load{Profile: c.profile, Unprotect: c.op == unprotectOp, Size: c.size, Contexts: c.contexts,
				Warm: chunkLen, Timed: chunks * chunkLen}
			if c.contexts > chunkLen { // it is very slow there
				l.Warm, l.Timed = batchLen, chunks*batchLen
			}
			spent, err := peer.Measure(l)
			return sample{NS: float64(spent) / float64(l.Timed)}, err
		},
	}
	version, err := peer.Version()
	return s, version, err
}
