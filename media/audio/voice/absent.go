//go:build !speexdsp

package voice

// Processor works on the frames of one microphone. In this build there is none.
type Processor struct{}

// New returns [ErrNotBuilt].
func New(Options) (*Processor, error) { return nil, ErrNotBuilt }

// Process is never called: there is no Processor.
func (p *Processor) Process(_, _ []int16) {}
