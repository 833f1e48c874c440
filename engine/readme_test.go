package engine_test

import (
	"os"
	"strings"
	"testing"
)

// The program that README.md shows is the Example of this package.
func TestReadmeShowsTheExample(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(source), "func Example() {\n")
	if !ok {
		t.Fatal("no Example")
	}
	body, _, ok = strings.Cut(body, "\t// Output:")
	if !ok {
		t.Fatal("the Example has no output")
	}
	if n := strings.Count(body, "\n"); n > 32 {
		t.Errorf("the Example has %d lines", n)
	}
	if !strings.Contains(string(readme), "func main() {\n"+body+"}\n") {
		t.Error("README.md shows another program")
	}
}
