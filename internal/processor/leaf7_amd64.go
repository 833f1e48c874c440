//go:build !purego

package processor

//go:noescape
func features7() (ebx, ecx uint32)
