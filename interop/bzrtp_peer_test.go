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
	port int
}

// bzrtpSecure is what bzrtp_peer prints about a handshake that succeeded.
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

// bzrtpFlags have the peer offer one suite, and what libbzrtp adds by itself.
func bzrtpFlags(s zrtp.Suite) []string {
	return []string{
		"--ka", s.KeyAgreement.String(), "--hash", s.Hash.String(), "--cipher", s.Cipher.String(),
		"--auth", s.AuthTag.String(), "--sas", s.SAS.String(),
	}
}

// startBzrtp starts a peer on a free port that talks to the port other.
func startBzrtp(t *testing.T, bin string, other int, flags ...string) *bzrtp {
	t.Helper()
	args := append([]string{"--bind", "127.0.0.1:0", "--peer", fmt.Sprintf("127.0.0.1:%d", other)}, flags...)
	b := &bzrtp{process: startProcess(t, "bzrtp_peer", exec.Command(bin, args...))}
	if _, err := fmt.Sscanf(b.await(t, "BOUND ", patience), "BOUND port=%d", &b.port); err != nil {
		t.Fatal(err)
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

// awaitSecured collects the lines of one handshake, in whatever order.
func (b *bzrtp) awaitSecured(t *testing.T) bzrtpSecure {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lines := map[string]map[string]string{}
	complete := func(line string) bool {
		name, rest, _ := strings.Cut(line, " ")
		if strings.HasPrefix(rest, "part=") {
			name += " " + rest[5:9]
		}
		lines[name] = fields(rest)
		return lines["SECURE"] != nil && lines["SECRETS send"] != nil && lines["SECRETS recv"] != nil && lines["EXPORTED"] != nil
	}
	if _, err := b.out.await(ctx, complete); err != nil {
		t.Fatalf("%s: waiting for a secure session: %v", b.name, err)
	}
	s, send, recv := lines["SECURE"], lines["SECRETS send"], lines["SECRETS recv"]
	return bzrtpSecure{
		SAS:   s["sas"],
		Suite: strings.Join([]string{s["ka"], s["hash"], s["cipher"], s["auth"], s["sastype"]}, "/"),
		Role:  lines["EXPORTED"]["role"], Exported: lines["EXPORTED"]["key"],
		Verified: s["verified"], CacheMismatch: s["cachemismatch"], AuxMismatch: s["auxmismatch"],
		SendKey: send["key"], SendSalt: send["salt"], RecvKey: recv["key"], RecvSalt: recv["salt"],
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

// TestBzrtpWithItself proves the test peer.
func TestBzrtpWithItself(t *testing.T) {
	bin := buildBzrtpPeer(t)
	free := &ports{next: 26000}
	dir := t.TempDir()
	for _, keyAgreement := range []string{"X255", "DH3k"} {
		t.Run(keyAgreement, func(t *testing.T) {
			port := free.pair(t)
			flags := bzrtpFlags(suite(keyAgreement + "/S384/AES3/HS80/B256"))
			for round, verified := range []string{"0", "1"} {
				cache := func(name string) []string {
					return []string{"--db", filepath.Join(dir, keyAgreement+name), "--verify"}
				}
				second := startBzrtp(t, bin, port, slices.Concat(flags, cache("b"), []string{"--responder"})...)
				first := startBzrtp(t, bin, second.port,
					slices.Concat(flags, cache("a"), []string{"--bind", fmt.Sprintf("127.0.0.1:%d", port)})...)
				one, two := first.awaitSecured(t), second.awaitSecured(t)
				if one.Role != "initiator" || two.Role != "responder" {
					t.Errorf("roles %s and %s", one.Role, two.Role)
				}
				if one.SAS != two.SAS || one.SendKey != two.RecvKey || two.SendKey != one.RecvKey || one.Exported != two.Exported {
					t.Errorf("round %d: %+v\n%+v", round, one, two)
				}
				if one.Suite != keyAgreement+"/S384/AES3/HS80/B256" || one.Verified != verified || one.CacheMismatch != "0" {
					t.Errorf("round %d: %+v", round, one)
				}
				if first.stop(t) != 0 || second.stop(t) != 0 {
					t.Error("a peer ended as insecure")
				}
			}
		})
	}
}
