// Command setup measures how long a call takes to become secure over
// loopback, between two engines in one process: from the answer, when both
// sides send their first Hello, to the event that says Secured on each side.
//
//	go run ./bench/setup -calls 50 -json
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sotto/engine"
)

// row is the result for one key agreement, in milliseconds.
type row struct {
	Suite    string  `json:"suite"`
	Calls    int     `json:"calls"`
	MedianMS float64 `json:"median_ms"`
	P95MS    float64 `json:"p95_ms"`
	MaxMS    float64 `json:"max_ms"`
	AnswerMS float64 `json:"invite_to_answered_median_ms"`
}

func main() {
	calls := flag.Int("calls", 50, "calls for each key agreement")
	agreements := flag.String("key-agreement", "X255,EC25,DH3k", "key agreements to measure, separated by commas")
	asJSON := flag.Bool("json", false, "one JSON object a line")
	flag.Parse()
	for _, name := range strings.Split(*agreements, ",") {
		r, err := measure(name, *calls)
		if err != nil {
			fmt.Fprintln(os.Stderr, "setup:", err)
			os.Exit(1)
		}
		if *asJSON {
			_ = json.NewEncoder(os.Stdout).Encode(r) // stdout is gone: nobody reads
			continue
		}
		fmt.Printf("%-28s %3d calls   Hello to secure on both sides: median %6.2f ms   p95 %6.2f   max %6.2f   (INVITE to answer: %.2f ms)\n",
			r.Suite, r.Calls, r.MedianMS, r.P95MS, r.MaxMS, r.AnswerMS)
	}
}

func measure(agreement string, calls int) (row, error) {
	cfg := engine.Config{KeyAgreements: []string{agreement}}
	a, err := engine.New(cfg)
	if err != nil {
		return row{}, err
	}
	defer func() { _ = a.Close() }()
	b, err := engine.New(cfg)
	if err != nil {
		return row{}, err
	}
	defer func() { _ = b.Close() }()
	r := row{Calls: calls}
	var answer, secure []float64
	for range calls {
		one, err := call(a, b)
		if err != nil {
			return row{}, err
		}
		r.Suite = one.suite
		answer = append(answer, milliseconds(one.answered.Sub(one.dialled)))
		secure = append(secure, milliseconds(one.secured.Sub(one.answered)))
	}
	slices.Sort(answer)
	slices.Sort(secure)
	r.AnswerMS, r.MedianMS = answer[len(answer)/2], secure[len(secure)/2]
	r.P95MS, r.MaxMS = secure[len(secure)*95/100], secure[len(secure)-1]
	return r, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// times of one call; secured is when the later side said so.
type times struct {
	suite                      string
	dialled, answered, secured time.Time
}

func call(a, b *engine.Engine) (t times, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	t.dialled = time.Now()
	out, err := a.Dial(ctx, "sip:bob@"+b.Addr().String())
	if err != nil {
		return t, err
	}
	defer func() { _ = out.Close() }()
	in, err := b.Accept(ctx)
	if err != nil {
		return t, err
	}
	t.answered = time.Now()
	if err := in.Answer(); err != nil {
		return t, err
	}
	for _, c := range []*engine.Call{out, in} {
		if t.suite, err = secured(ctx, c); err != nil {
			return t, err
		}
	}
	t.secured = time.Now()
	return t, nil
}

// secured waits until the call is.
func secured(ctx context.Context, c *engine.Call) (suite string, err error) {
	for {
		event, err := c.Next(ctx)
		if err != nil {
			return "", err
		}
		switch event := event.(type) {
		case engine.Secured:
			return event.Suite, nil
		case engine.Ended:
			return "", fmt.Errorf("the call ended: %s", event.Reason.Text)
		}
	}
}
