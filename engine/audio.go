package engine

import (
	"context"

	"sotto/media/audio"
	"sotto/media/route"
)

// silence is the Audio of a Config that names none.
func silence(context.Context) (Audio, error) {
	return Audio{Source: audio.Silence{}, Sink: audio.Discard{}, Routes: []route.Route{{Class: route.Internal, Device: "silence"}}}, nil
}
