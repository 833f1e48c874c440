package device_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"sotto/media/audio"
	"sotto/media/audio/device"
)

// The microphone is heard in the loudspeaker, both as the system takes them where
// no other is asked for. Such a name is looked up once; what it stands for later
// does not matter.
func Example() {
	ctx := context.Background()
	all, err := device.List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	ids := map[device.Direction]string{}
	for _, d := range all {
		if d.Default {
			ids[d.Direction] = d.ID
		}
	}
	microphone, err := device.OpenSource(ctx, ids[device.Capture], "call")
	if err != nil {
		log.Fatal(err)
	}
	defer microphone.Close()
	loudspeaker, err := device.OpenSink(ctx, ids[device.Playback], "call")
	if err != nil {
		log.Fatal(err)
	}
	defer loudspeaker.Close()
	var pcm [audio.FrameSamples]int16
	for range time.Tick(20 * time.Millisecond) { // the clock is ours, not the card's
		select {
		case e := <-microphone.Events():
			fmt.Println("the microphone is", e.Kind) // lost, and later returned
		default:
		}
		if microphone.ReadFrame(pcm[:]) != nil || loudspeaker.WriteFrame(pcm[:]) != nil {
			return // closed
		}
	}
}
