//go:build interop

package routes

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"testing"
	"time"
)

// The headset of all scenes.
const (
	headset     = "AA:BB:CC:DD:EE:01"
	headsetName = "CheapHeadset"
)

// air is the Bluetooth service of a world, and what is sent over the air.
type air struct {
	*daemon
	in  io.Writer
	out *bufio.Scanner
}

// traffic is what was on air since the last reset.
type traffic struct {
	Packets, Bytes int
	Loud           int   // packets that are not digital silence
	Samples        int   // in their frames that are not
	Last           int64 // when the last such packet came, in ns since 1970
}

func startAir(t *testing.T, dir string) *air {
	t.Helper()
	cmd := exec.Command(fakeBluez)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	cmd.Stdout = w
	a := &air{daemon: startDaemon(t, dir, cmd), in: in, out: bufio.NewScanner(r)}
	go func() { // until the test ends
		<-a.exited
		w.Close()
	}()
	if !a.out.Scan() {
		t.Fatal("the Bluetooth service does not start")
	}
	return a
}

// try gives a command and decodes the answer.
func (a *air) try(command string, answer any) (failed string) {
	if _, err := io.WriteString(a.in, command+"\n"); err != nil || !a.out.Scan() {
		return "the Bluetooth service has ended"
	}
	var f struct{ Error string }
	if err := json.Unmarshal(a.out.Bytes(), &f); err != nil || f.Error != "" {
		return f.Error
	}
	if err := json.Unmarshal(a.out.Bytes(), answer); err != nil {
		return err.Error()
	}
	return ""
}

func (a *air) do(t *testing.T, command string, answer any) {
	t.Helper()
	if failed := a.try(command, answer); failed != "" {
		t.Fatalf("%s: %s", command, failed)
	}
}

// awaitServer waits until the sound server is ready for headsets.
func (a *air) awaitServer(t *testing.T) {
	t.Helper()
	eventually(t, "the sound server talks to the Bluetooth service", func() bool {
		var answer struct{ There bool }
		a.do(t, "server", &answer)
		return answer.There
	})
}

// connect connects the headset and returns when it was told of.
func (a *air) connect(t *testing.T) time.Time {
	t.Helper()
	var answer struct{ At int64 }
	a.do(t, "connect "+headset+" "+headsetName, &answer)
	return time.Unix(0, answer.At)
}

// disconnect takes the headset away.
func (a *air) disconnect(t *testing.T) {
	t.Helper()
	a.do(t, "disconnect "+headset, &struct{}{})
}

// powered reports whether the radio has power.
func (a *air) powered(t *testing.T) bool {
	t.Helper()
	var answer struct{ On bool }
	a.do(t, "power", &answer)
	return answer.On
}

// traffic is what was on air since the last reset.
func (a *air) traffic(t *testing.T) (sum traffic) {
	t.Helper()
	a.do(t, "air", &sum)
	return sum
}

func (a *air) reset(t *testing.T) {
	t.Helper()
	a.do(t, "reset", &struct{}{})
}
