//go:build !amd64 || purego

package processor

func features7() (ebx, ecx uint32) { return 0, 0 }
