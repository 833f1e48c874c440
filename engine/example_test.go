package engine_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"sotto/engine"
)

// Two phones in one program. Without Config.OpenAudio they exchange silence,
// so this runs on a machine without a sound card.
func Example() {
	bob, err := engine.New(engine.Config{Identity: "sip:bob@localhost"})
	if err != nil {
		log.Fatal(err)
	}
	defer bob.Close()
	go func() {
		if call, err := bob.Accept(context.Background()); err == nil {
			_ = call.Answer()
		}
	}()
	alice, err := engine.New(engine.Config{Identity: "sip:alice@localhost"})
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close()
	call, err := alice.Dial(context.Background(), "sip:bob@"+bob.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	for event, err := call.Next(context.Background()); err == nil; event, err = call.Next(context.Background()) {
		switch e := event.(type) {
		case engine.Secured:
			fmt.Println(len(strings.Split(e.SAS, ":")), "words to compare:", e.Level)
			go call.Close() // the user hangs up
		case engine.Ended:
			fmt.Println("ended:", e.Reason.Kind)
		}
	}
	// Output:
	// 2 words to compare: encrypted, not verified
	// ended: hung-up
}
