// Package report makes the pages of benchmarks from what they have measured: a page has
// no figure that is not in the results beside it.
package report

import (
	"bytes"
	"fmt"
	"os"
	"text/template"
)

// Write reads results, which lie in a file below the repository's root, and writes the
// files that of makes of them, by their names from there.
func Write(results string, of func(results []byte) (map[string][]byte, error)) error {
	text, err := os.ReadFile(results)
	if err != nil {
		return fmt.Errorf("%w: run this at the repository's root, after a run with -json >%s", err, results)
	}
	files, err := of(text)
	if err != nil {
		return fmt.Errorf("%s: %w", results, err)
	}
	for name, content := range files {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Page is a text with values in the places that it has for them (text/template).
func Page(text string, values map[string]any) ([]byte, error) {
	t, err := template.New("page").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	err = t.Execute(&page, values)
	return page.Bytes(), err
}
