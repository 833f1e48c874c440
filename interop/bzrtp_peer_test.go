//go:build interop

package interop

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// bzrtp is a running bzrtp_peer.
type bzrtp struct {
	*process
	ports []int // of its streams
}

// bzrtpSecure is what bzrtp_peer prints about a handshake that succeeded. A
// second stream has no SAS, role and exported key of its own.
type bzrtpSecure struct {
	SAS, Suite                           string // as zrtp.Suite prints it
	Role                                 string
	Verified, CacheMismatch, AuxMismatch string
	SendKey, SendSalt, RecvKey, RecvSalt string // hexadecimal
	Exported                             string
}

// buildBzrtpPeer compiles the test peer and returns its path.
func buildBzrtpPeer(t *testing.T) string {
	t.Helper()
	requireTool(t, "gcc")
	bin := filepath.Join(t.TempDir(), "bzrtp_peer")
	build := exec.Command("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-rdynamic", "-o", bin, "bzrtp/bzrtp_peer.c",
		"-lbzrtp", "-lbctoolbox", "-lsqlite3", "-ldl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("bzrtp_peer doesn't build: %v\n%s\nIf libbzrtp is missing, run: %s", err, out, packages)
	}
	return bin
}

// suite makes a zrtp.Suite of the names of its parts, in the order in which
// zrtp.Suite prints them: X255/S256/AES1/HS80/B32.
func suite(names string) zrtp.Suite {
	part := strings.Split(names, "/")
	return zrtp.Suite{
		KeyAgreement: wire.A(part[0]), Hash: wire.A(part[1]), Cipher: wire.A(part[2]), AuthTag: wire.A(part[3]), SAS: wire.A(part[4]),
	}
}

// bzrtpFlags have the peer offer one suite, a second stream, and what libbzrtp
// adds by itself.
func bzrtpFlags(s zrtp.Suite) []string {
	return []string{
		"--ka", s.KeyAgreement.String() + ",Mult", "--hash", s.Hash.String(), "--cipher", s.Cipher.String(),
		"--auth", s.AuthTag.String(), "--sas", s.SAS.String(),
	}
}

// startBzrtp starts a peer that has one stream with each of the ports of
// others, from its own ports; 0 is a free one.
func startBzrtp(t *testing.T, bin string, others, own []int, flags ...string) *bzrtp {
	t.Helper()
	var args []string
	for i := range others {
		args = append(args, "--bind", fmt.Sprintf("127.0.0.1:%d", own[i]), "--peer", fmt.Sprintf("127.0.0.1:%d", others[i]))
	}
	b := &bzrtp{process: startProcess(t, "bzrtp_peer", exec.Command(bin, append(args, flags...)...))}
	for range others {
		var stream, port int
		if _, err := fmt.Sscanf(b.await(t, "BOUND ", patience), "BOUND stream=%d port=%d", &stream, &port); err != nil {
			t.Fatal(err)
		}
		b.ports = append(b.ports, port)
	}
	return b
}

// helloHash is the value that the peer's signalling would announce:
// version and hexadecimal hash.
func (b *bzrtp) helloHash(t *testing.T) string {
	t.Helper()
	_, hash, _ := strings.Cut(b.await(t, "ZRTPHASH ", patience), "ZRTPHASH ")
	return strings.TrimSpace(hash)
}

// awaitSecured collects the lines of the first stream's handshake, in whatever
// order.
func (b *bzrtp) awaitSecured(t *testing.T) bzrtpSecure {
	t.Helper()
	all := b.awaitLines(t, "SECURE 1", "SENDS 1", "RECEIVES 1", "EXPORTED ")
	s := secureOf(all[0], all[1], all[2])
	s.Role, s.Exported = all[3]["role"], all[3]["key"]
	return s
}

// awaitSecond collects those of the second stream's.
func (b *bzrtp) awaitSecond(t *testing.T) bzrtpSecure {
	t.Helper()
	all := b.awaitLines(t, "SECURE 2", "SENDS 2", "RECEIVES 2")
	return secureOf(all[0], all[1], all[2])
}

// awaitLines gives the fields of the lines that have these names and streams.
func (b *bzrtp) awaitLines(t *testing.T, names ...string) []map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found := make([]map[string]string, len(names))
	missing := len(names)
	_, err := b.out.await(ctx, func(line string) bool {
		name, rest, _ := strings.Cut(line, " ")
		f := fields(rest)
		if i := slices.Index(names, name+" "+f["stream"]); i >= 0 && found[i] == nil {
			found[i] = f
			missing--
		}
		return missing == 0
	})
	if err != nil {
		t.Fatalf("%s: waiting for a secure session: %v", b.name, err)
	}
	return found
}

func secureOf(s, sends, receives map[string]string) bzrtpSecure {
	return bzrtpSecure{
		SAS:      s["sas"],
		Suite:    strings.Join([]string{s["ka"], s["hash"], s["cipher"], s["auth"], s["sastype"]}, "/"),
		Verified: s["verified"], CacheMismatch: s["cachemismatch"], AuxMismatch: s["auxmismatch"],
		SendKey: sends["key"], SendSalt: sends["salt"], RecvKey: receives["key"], RecvSalt: receives["salt"],
	}
}

// fields splits `a=b c="d"`.
func fields(line string) map[string]string {
	all := map[string]string{}
	for _, f := range regexp.MustCompile(`(\w+)="?([^ "]*)"?`).FindAllStringSubmatch(line, -1) {
		all[f[1]] = f[2]
	}
	return all
}

// stop ends the peer, which then has written its cache, and returns its exit
// code: 0 when it was secure.
func (b *bzrtp) stop(t *testing.T) int {
	t.Helper()
	b.stdin.Close()
	return b.exitCode(t, patience)
}

// TestBzrtpWithItself proves the test peer, with two streams.
func TestBzrtpWithItself(t *testing.T) {
	bin := buildBzrtpPeer(t)
	free := &ports{next: 26000}
	dir := t.TempDir()
	for _, keyAgreement := range []string{"X255", "DH3k"} {
		t.Run(keyAgreement, func(t *testing.T) {
			flags := bzrtpFlags(suite(keyAgreement + "/S384/AES3/HS80/B256"))
			for round, verified := range []string{"0", "1"} {
				with := func(name string, more ...string) []string {
					return slices.Concat(flags, []string{"--db", filepath.Join(dir, keyAgreement+name), "--verify"}, more)
				}
				here, there := []int{free.pair(t), free.pair(t)}, []int{free.pair(t), free.pair(t)}
				second := startBzrtp(t, bin, here, there, with("b", "--responder")...)
				first := startBzrtp(t, bin, there, here, with("a")...)
				one, two := first.awaitSecured(t), second.awaitSecured(t)
				if one.Role != "initiator" || two.Role != "responder" {
					t.Errorf("roles %s and %s", one.Role, two.Role)
				}
				if one.SAS != two.SAS || one.Exported != two.Exported || !one.mirrors(two) {
					t.Errorf("round %d: %+v\n%+v", round, one, two)
				}
				if one.Suite != keyAgreement+"/S384/AES3/HS80/B256" || one.Verified != verified || one.CacheMismatch != "0" {
					t.Errorf("round %d: %+v", round, one)
				}
				ours, theirs := first.awaitSecond(t), second.awaitSecond(t)
				if !ours.mirrors(theirs) || !strings.HasPrefix(ours.Suite, "Mult/") || ours.SendKey == one.SendKey {
					t.Errorf("round %d, second stream: %+v\n%+v", round, ours, theirs)
				}
				if first.stop(t) != 0 || second.stop(t) != 0 {
					t.Error("a peer ended as insecure")
				}
			}
		})
	}
}

// mirrors says whether what one side sends with is what the other receives
// with.
func (s bzrtpSecure) mirrors(o bzrtpSecure) bool {
	return s.SendKey == o.RecvKey && s.SendSalt == o.RecvSalt && s.RecvKey == o.SendKey && s.RecvSalt == o.SendSalt && s.SendKey != ""
}
