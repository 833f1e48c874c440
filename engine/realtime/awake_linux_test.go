package realtime

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// latency is how many µs a processor may take to wake, as all programs together
// want it.
func latency(t *testing.T) (us int32) {
	t.Helper()
	f, err := os.Open(latencyFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := binary.Read(f, binary.NativeEndian, &us); err != nil {
		t.Fatal(err)
	}
	return us
}

// The system knows for as long as the processors are to be awake, or says why it does
// not let them.
func TestStayAwake(t *testing.T) {
	awake, err := StayAwake()
	if err != nil {
		f, system := os.OpenFile(latencyFile, os.O_WRONLY, 0)
		if system == nil {
			_ = f.Close()
			system = &os.PathError{Err: errors.ErrUnsupported}
		}
		if !errors.Is(err, errors.Unwrap(system)) {
			t.Errorf("%v, where it is %v", err, system)
		}
		return
	}
	if us := latency(t); us != 0 {
		t.Errorf("a processor may take %d µs to wake", us)
	}
	if err := awake.Close(); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	for _, fd := range files {
		if file, _ := os.Readlink(fd); file == latencyFile {
			t.Error("it is not closed")
		}
	}
}

func TestStayAwakeRefused(t *testing.T) {
	dir := t.TempDir()
	none, file := filepath.Join(dir, "none"), filepath.Join(dir, "file")
	for _, path := range []string{none, file} {
		if err := os.WriteFile(path, []byte(filepath.Base(path)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, latency := range []string{filepath.Join(dir, "missing"), dir, "/dev/full"} {
		if awake, err := stayAwake(latency, file); err == nil || awake != nil || errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", latency, err)
		}
	}
	if awake, err := stayAwake(file, none); !errors.Is(err, errors.ErrUnsupported) || awake != nil {
		t.Errorf("without a driver: %v", err)
	}
	awake, err := stayAwake(file, filepath.Join(dir, "missing"))
	if err != nil {
		t.Fatal(err)
	}
	if err := awake.Close(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(file); string(got) != "\x00\x00\x00\x00\n" {
		t.Errorf("%q is written (%v)", got, err)
	}
}
