package engine_test

import (
	"context"
	"fmt"
	"log"

	"sotto/engine"
)

// Two phones in one program: alice calls bob, and both see the same short
// authentication string. Without Config.OpenAudio they exchange silence, so
// this runs on a machine without a sound card.
func Example() {
	ctx := context.Background()
	bob, err := engine.New(engine.Config{Identity: "sip:bob@localhost"})
	if err != nil {
		log.Fatal(err)
	}
	defer bob.Close()
	alice, err := engine.New(engine.Config{Identity: "sip:alice@localhost"})
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close()

	out, err := alice.Dial(ctx, "sip:bob@"+bob.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	in, err := bob.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := in.Answer(); err != nil {
		log.Fatal(err)
	}
	sas := func(call *engine.Call) string {
		for {
			event, err := call.Next(ctx)
			if err != nil {
				log.Fatal(err)
			}
			switch event := event.(type) {
			case engine.Secured:
				return event.SAS
			case engine.Ended:
				log.Fatal(event.Reason.Text)
			}
		}
	}
	fmt.Println("same SAS:", sas(out) == sas(in))
	// Output: same SAS: true
}
