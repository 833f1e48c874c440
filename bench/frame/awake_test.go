package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// staying, in the environment, has the test's own program stay awake, or says why it
// can't.
const staying = "SOTTO_TEST_STAYING"

// farewell says that it was closed, to who hears its errors.
type farewell struct{}

func (farewell) Close() error {
	fmt.Fprint(os.Stderr, "closed")
	return nil
}

// Another process keeps the processors awake until it is closed, or says why it can't.
func TestKeepAwake(t *testing.T) {
	if why := os.Getenv(staying); why != "" {
		err := stayAwake(func() (io.Closer, error) {
			switch why {
			case "can":
				return farewell{}, nil
			case "unsupported":
				return nil, fmt.Errorf("no way: %w", errors.ErrUnsupported)
			}
			return nil, errors.New(why)
		}, os.Stdin, os.Stdout)
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	for why, want := range map[string]error{"can": nil, "unsupported": errors.ErrUnsupported, "not root": nil} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKeepAwake$")
		cmd.Env = append(os.Environ(), staying+"="+why)
		var said told
		cmd.Stderr = &said
		awake, err := keepApart(cmd)
		if why != "can" {
			if awake != nil || err == nil || want != nil && !errors.Is(err, want) || want == nil && err.Error() != why {
				t.Errorf("%s: %v", why, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := awake.Close(); err != nil || said != "closed" {
			t.Errorf("closed: %q (%v)", said, err)
		}
	}
	if awake, err := keepApart(exec.Command("/nonexistent")); err == nil || awake != nil {
		t.Error("a program that is not there keeps nothing awake")
	}
}

// told is what was written.
type told string

func (s *told) Write(p []byte) (int, error) {
	*s += told(p)
	return len(p), nil
}
