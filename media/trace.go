package media

import "fmt"

// Stage is a point on a frame's way.
type Stage uint8

// The stages: of the Sender, then of the Receiver.
const (
	StageCaptured Stage = iota // read from the source
	StageEncoded
	StageSealed
	StageSent // the write has returned

	StageReceived // handed to HandleRTP; not authenticated yet
	StageOpened
	StageQueued  // in the jitter buffer
	StageDecoded // popped and decoded
	StagePlayed  // the sink has taken the frame that it begins in
)

// String is the stage's name.
func (s Stage) String() string {
	names := [...]string{"captured", "encoded", "sealed", "sent", "received", "opened", "queued", "decoded", "played"}
	if int(s) >= len(names) {
		return fmt.Sprintf("stage(%d)", uint8(s))
	}
	return names[s]
}

// Tracer is told when a frame reaches a stage, by the RTP timestamp of its
// packet. It is called on the media path, from the goroutine of that half: it
// neither blocks nor allocates.
type Tracer interface {
	Stamp(stage Stage, timestamp uint32)
}

type noTracer struct{}

func (noTracer) Stamp(Stage, uint32) {}

// orNone is t, or a Tracer that does nothing.
func orNone(t Tracer) Tracer {
	if t == nil {
		return noTracer{}
	}
	return t
}
