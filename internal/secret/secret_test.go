package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sotto/internal/secret"
)

const plain = "correct horse battery staple"

func TestNeverPrinted(t *testing.T) {
	s := secret.Copy([]byte(plain))
	held := struct{ key *secret.Bytes }{s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", s, *s)
		fmt.Fprintf(&out, verb+"\n", held)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "key", s, "value", *s, "held", held)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "key", s, "value", *s)
	if err := json.NewEncoder(&out).Encode(map[string]any{"key": s, "value": *s}); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{plain, fmt.Sprintf("%x", plain), fmt.Sprint([]byte(plain)), "Y29ycmVjdCBob3JzZSBi"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("printed as %q", leak)
		}
	}
	if !strings.Contains(out.String(), "redacted") {
		t.Error("nothing says redacted")
	}
}

func TestFromTakesOver(t *testing.T) {
	b := []byte(plain)
	s := secret.From(b)
	if !bytes.Equal(b, make([]byte, len(plain))) {
		t.Error("the original was not wiped")
	}
	if string(s.Reveal()) != plain {
		t.Error("the secret was lost")
	}
}

func TestWipe(t *testing.T) {
	s := secret.Copy([]byte(plain))
	b := s.Reveal()
	s.Wipe()
	s.Wipe()
	if !bytes.Equal(b, make([]byte, len(plain))) || s.Len() != 0 || s.Reveal() != nil {
		t.Error("not wiped")
	}
	var none *secret.Bytes
	none.Wipe()
	if none.Len() != 0 || none.Reveal() != nil {
		t.Error("nil is not empty")
	}
}

func TestEqual(t *testing.T) {
	a, b, c := secret.Copy([]byte("abc")), secret.Copy([]byte("abc")), secret.Copy([]byte("abd"))
	var none *secret.Bytes
	if !a.Equal(b) || a.Equal(c) || a.Equal(none) || none.Equal(none) || none.Equal(a) {
		t.Error("wrong verdict")
	}
}
