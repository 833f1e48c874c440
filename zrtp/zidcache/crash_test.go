package zidcache_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"sotto/zrtp"
	"sotto/zrtp/wire"
	"sotto/zrtp/zidcache"
)

// long says that tests run in their long form.
var long = os.Getenv("SOTTO_LONG") != ""

// lives is how many processes a test kills: few, or in the long form all.
func lives(few, all int) int {
	if long {
		return all
	}
	return few
}

// lastNumber reads what a child says until it is killed, and gives the last
// number it said whole; before if none.
func (p *process) lastNumber(t *testing.T, before int) int {
	t.Helper()
	for p.out.Scan() {
		n, err := strconv.Atoi(p.out.Text())
		if err != nil {
			break // the line was cut short
		}
		before = n
	}
	p.killed(t)
	return before
}

// TestKill kills a process that updates one peer after the other, at random
// moments. What it said to be stored must be there; of what it was storing,
// either version, and nothing of any other.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zid")
	const peers = 40
	rounds := lives(100, 1000)
	done, cut := 0, 0
	for range rounds {
		said := start(t, "update", path, strconv.Itoa(peers), strconv.Itoa(done)).lastNumber(t, done)
		done = afterKill(t, path, peers, said)
		if done > said {
			cut++
		}
	}
	if done < rounds {
		t.Errorf("only %d updates in %d lives: nothing was interrupted", done, rounds)
	}
	t.Logf("%d killed in %d updates, %d of them stored but not yet said to be", rounds, done, cut)
}

// afterKill checks every record after a process died that had said that n
// updates were done, and gives how many really were.
func afterKill(t *testing.T, path string, peers, n int) int {
	t.Helper()
	c, err := zidcache.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := c.Store(own, peer)
	version := func(i, updates int) zrtp.Record {
		v := (updates + peers - 1 - i) / peers // how often peer i came by
		if v == 0 {
			return zrtp.Record{}
		}
		return recordOf(i, v)
	}
	got, err := s.Load(zidOf(n % peers))
	if err != nil {
		t.Fatal(err)
	}
	if diff(got, version(n%peers, n)) != "" {
		n++ // the one in flight was stored
	}
	for i := range peers {
		expect(t, s, zidOf(i), version(i, n))
	}
	return n
}

// TestKillWhileCreating kills a process around the moment when it makes the
// file. After that, Open must work, and keep the ZID if there was one.
func TestKillWhileCreating(t *testing.T) {
	made, rounds := 0, lives(40, 200)
	for range rounds {
		path := filepath.Join(t.TempDir(), "state", "zid")
		start(t, "create", path).lastNumber(t, 0)
		if _, err := os.Stat(path); err == nil {
			made++
		}
		var zid wire.ZID
		for n := range 2 {
			c, err := zidcache.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				zid = c.ZID()
			}
			if c.ZID() != zid {
				t.Error("another ZID")
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d of %d files were made in time", made, rounds)
}

// TestAdversary_E5_PowerLoss cuts the power in the middle of updates. What reaches the
// disk before a sync is any part of what was written since the one before:
// here, every set of pages, each whole or torn. The update is there once all
// of its meta page is, and not at all before.
func TestAdversary_E5_PowerLoss(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "zid")
	const peers = 30
	c := open(t, path)
	s := c.Store(own, peer)
	want := make([]zrtp.Record, peers)
	tried := 0
	for n := range 4 * peers {
		before := readFile(t, path)
		old := append([]zrtp.Record{}, want...)
		i := n * 7 % peers
		want[i] = recordOf(i, 1+n/peers)
		mustPut(t, s, zidOf(i), want[i])
		if n%9 != 0 {
			continue
		}
		crashes := crashesBetween(t, before, readFile(t, path))
		for _, crash := range crashes {
			tried++
			file := filepath.Join(dir, "crashed")
			if err := os.WriteFile(file, crash.data, 0o600); err != nil {
				t.Fatal(err)
			}
			expected := old
			if crash.finished {
				expected = want
			}
			expectAll(t, file, expected)
		}
	}
	if tried < 100 {
		t.Errorf("only %d crashes were tried", tried)
	}
}

func expectAll(t *testing.T, path string, want []zrtp.Record) {
	t.Helper()
	c, err := zidcache.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range want {
		expect(t, c.Store(own, peer), zidOf(i), want[i])
	}
}

// crash is what a loss of power left.
type crash struct {
	data     []byte
	finished bool // the update was
}

// crashesBetween gives the files that a loss of power can leave while one
// update turns the file before into after.
func crashesBetween(t *testing.T, before, after []byte) (all []crash) {
	t.Helper()
	const size = 4096
	if os.Getpagesize() != size {
		t.Fatalf("pages of %d bytes", os.Getpagesize())
	}
	if len(after) > len(before) {
		before = append(before, make([]byte, len(after)-len(before))...) // growing is synced first
	}
	var meta, data []int
	for at := 0; at < len(after); at += size {
		switch {
		case bytes.Equal(before[at:at+size], after[at:at+size]):
		case at < 2*size:
			meta = append(meta, at)
		default:
			data = append(data, at)
		}
	}
	if len(meta) != 1 || len(data) == 0 || len(data) > 5 {
		t.Fatalf("an update changed meta pages %v and pages %v", meta, data)
	}
	for set := range 1 << len(data) {
		for _, torn := range []int{size, size / 2, 512, 100} {
			f := bytes.Clone(before)
			for i, at := range data {
				if set&(1<<i) != 0 {
					copy(f[at:at+torn], after[at:])
				}
			}
			all = append(all, crash{data: f})
		}
	}
	// All data pages are synced, then the meta page is written: its numbers
	// are within one sector, but let it be torn at every word all the same.
	m := meta[0]
	for torn := 0; torn <= 96; torn += 8 {
		f := bytes.Clone(after)
		copy(f[m+torn:m+size], before[m+torn:])
		finished := bytes.Equal(f[m:m+size], after[m:m+size])
		all = append(all, crash{f, finished})
	}
	return all
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAdversary_E5_DiskFull runs out of space at every page of the file; see fill.
func TestAdversary_E5_DiskFull(t *testing.T) {
	t.Run("limit", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "zid")
		child := start(t, "limit", path)
		child.expect(t, "refused true")
		child.done(t)
	})
	t.Run("disk", func(t *testing.T) {
		// A user namespace of its own lets anybody mount.
		alone := &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		try := exec.Command("true")
		try.SysProcAttr = alone
		if err := try.Run(); err != nil {
			t.Skipf("this machine gives no user namespaces: %v", err)
		}
		cmd := command(t, "disk", filepath.Join(t.TempDir(), "zid"))
		cmd.SysProcAttr = alone
		child := run(t, cmd)
		child.expect(t, "refused true")
		child.done(t)
	})
}

// TestAdversary_E5_TwoProcesses has two processes take the file in turns to update one record,
// while others update another one and are killed: no update is lost.
func TestAdversary_E5_TwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zid")
	const times = 20
	var turns []*process
	for range 2 {
		turns = append(turns, start(t, "turn", path, "1", strconv.Itoa(times)))
	}
	said := 0
	for range 15 {
		said = start(t, "dying", path, "2", "1000000").lastNumber(t, said)
	}
	for _, child := range turns {
		for child.out.Scan() {
		}
		child.done(t)
	}
	c := open(t, path)
	for i, want := range map[int][2]int{1: {2 * times, 2 * times}, 2: {said, said + 1}} {
		r, err := c.Store(own, peer).Load(zidOf(i))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Name) < want[0] || len(r.Name) > want[1] {
			t.Errorf("record %d has %d updates, want %d to %d", i, len(r.Name), want[0], want[1])
		}
	}
	if said == 0 {
		t.Error("nothing was updated by those who were killed")
	}
}
