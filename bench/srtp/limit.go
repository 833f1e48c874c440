package main

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed limit/limit.c
var limitSource []byte

// limit is the program that measures the cryptography alone.
type limit struct {
	dir   string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Reader
}

// startLimit builds it for this processor. Its times belong to the rows with
// hot caches; they are taken once a round and size, for protecting.
func startLimit() (subject, error) {
	dir, err := os.MkdirTemp("", "sotto-bench-srtp-")
	if err != nil {
		return subject{}, err
	}
	l := &limit{dir: dir}
	if err := l.start(filepath.Join(dir, "limit")); err != nil {
		_ = os.RemoveAll(dir) // a leftover harms nobody
		return subject{}, err
	}
	return subject{
		name:  limitName,
		modes: []string{single, batch},
		has:   func(string) bool { return true },
		take:  l.take,
		close: l.close,
	}, nil
}

func (l *limit) start(program string) error {
	if err := os.WriteFile(program+".c", limitSource, 0o600); err != nil {
		return err
	}
	gcc := exec.Command("gcc", "-O3", "-march=native", "-o", program, program+".c")
	if out, err := gcc.CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(string(out), "\n")
		return fmt.Errorf("gcc: %w: %s", err, first)
	}
	l.cmd = exec.Command(program)
	l.cmd.Stderr = os.Stderr
	in, err := l.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	l.in, l.lines = in, bufio.NewReader(out)
	return l.cmd.Start()
}

func (l *limit) close() error {
	return errors.Join(l.in.Close(), l.cmd.Wait(), os.RemoveAll(l.dir))
}

// take measures a cell. The packet that comes with it has to be right: who
// computes something else may be as fast as he likes.
func (l *limit) take(c cell, mode string) (sample, error) {
	kind, key, atOnce := "cm", profileNamed(c.profile).KeyLen(), 1
	if strings.HasPrefix(c.profile, "AEAD") {
		kind = "gcm"
	}
	if mode == batch {
		atOnce = batchLen
	}
	if _, err := fmt.Fprintln(l.in, kind, key, c.size, atOnce); err != nil {
		return sample{}, err
	}
	line, err := l.lines.ReadString('\n')
	if err != nil {
		return sample{}, err
	}
	var ns float64
	var packet string
	if _, err := fmt.Sscan(line, &ns, &packet); err != nil {
		return sample{}, fmt.Errorf("limit said %q: %w", line, err)
	}
	if want := hex.EncodeToString(limitPacket(kind, key, c.size)); packet != want {
		return sample{}, fmt.Errorf("limit made\n%s, not\n%s", packet, want)
	}
	return sample{NS: ns}, nil
}

// limitPacket is the packet that limit.c shows, its second, with the standard
// library.
func limitPacket(kind string, keyLen, size int) []byte {
	series := func(n, step, first int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(step*i + first)
		}
		return b
	}
	packet := series(headerLen+size, 3, 1)
	packet[0] = 0x80
	block, err := aes.NewCipher(series(keyLen, 7, 1))
	if err != nil {
		panic(err) // keyLen is one of AES's
	}
	if kind == "gcm" {
		nonce := series(12, 11, 1) // RFC 7714 §8.1
		xor(nonce[2:], packet[8:12])
		xor(nonce[10:], packet[2:4])
		aead, err := cipher.NewGCM(block)
		if err != nil {
			panic(err) // AES has blocks of 16 bytes
		}
		return aead.Seal(packet[:headerLen], nonce, packet[headerLen:], packet[:headerLen])
	}
	iv := append(series(14, 11, 1), 0, 0) // RFC 3711 §4.1.1
	xor(iv[4:], packet[8:12])
	xor(iv[12:], packet[2:4])
	cipher.NewCTR(block, iv).XORKeyStream(packet[headerLen:], packet[headerLen:])
	mac := hmac.New(sha1.New, series(20, 5, 1))
	mac.Write(packet)
	mac.Write(binary.BigEndian.AppendUint32(nil, 0)) // the roll-over counter
	return append(packet, mac.Sum(nil)[:10]...)
}

func xor(dst, src []byte) {
	for i := range src {
		dst[i] ^= src[i]
	}
}
