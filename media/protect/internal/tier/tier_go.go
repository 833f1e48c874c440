//go:build !amd64 || purego

package tier

func (t Tier) runs() bool { return t == Go }
