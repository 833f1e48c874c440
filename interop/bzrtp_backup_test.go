//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sotto/zrtp"
	"sotto/zrtp/zidcache"
)

// TestBzrtpRestoredCache has one side restore its cache from a backup that is
// one call old: the newest secret is gone there, and the one before it, which
// the other side keeps as rs2, continues the chain (RFC 6189 §4.3).
func TestBzrtpRestoredCache(t *testing.T) {
	t.Parallel()
	bin := buildBzrtpPeer(t)
	for _, restored := range []string{"ours", "theirs"} {
		for _, r := range roles {
			t.Run(restored+" "+r.Name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				file := map[string]string{"ours": filepath.Join(dir, "sotto"), "theirs": filepath.Join(dir, "peer.sqlite")}
				h := handshake{t: t, bin: bin, flags: slices.Concat(r.Flags, []string{"--verify", "--db", file["theirs"]})}
				call := func() (zrtp.Secured, bzrtpSecure) {
					t.Helper()
					cache, err := zidcache.Open(file["ours"])
					if err != nil {
						t.Fatal(err)
					}
					defer cache.Close()
					return h.retainedCall(zrtp.Config{
						ZID: cache.ZID(), Store: cache.Store("sip:sotto@127.0.0.1", "sip:bzrtp@127.0.0.1"), Passive: r.Passive})
				}

				call()
				backup, err := os.ReadFile(file[restored])
				if err != nil {
					t.Fatal(err)
				}
				call()
				if err := os.WriteFile(file[restored], backup, 0o600); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"after the loss", "and later"} {
					ours, theirs := call()
					if !ours.Continued || !ours.Verified || ours.CacheMismatch || theirs.CacheMismatch != "0" || theirs.Verified != "1" {
						t.Errorf("%s: ours %+v, bzrtp's %+v", name, ours, theirs)
					}
				}
			})
		}
	}
}
