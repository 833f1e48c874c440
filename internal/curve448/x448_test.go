package curve448

import (
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"
)

func unhex(t *testing.T, s string) (b [Size]byte) {
	t.Helper()
	if n, err := hex.Decode(b[:], []byte(s)); err != nil || n != Size {
		t.Fatal(n, err)
	}
	return b
}

// TestVectors has the vectors of RFC 7748 §5.2.
func TestVectors(t *testing.T) {
	for _, v := range []struct{ scalar, u, want string }{
		{
			"3d262fddf9ec8e88495266fea19a34d28882acef045104d0d1aae121700a779c984c24f8cdd78fbff44943eba368f54b29259a4f1c600ad3",
			"06fce640fa3487bfda5f6cf2d5263f8aad88334cbd07437f020f08f9814dc031ddbdc38c19c6da2583fa5429db94ada18aa7a7fb4ef8a086",
			"ce3e4ff95a60dc6697da1db1d85e6afbdf79b50a2412d7546d5f239fe14fbaadeb445fc66a01b0779d98223961111e21766282f73dd96b6f",
		}, {
			"203d494428b8399352665ddca42f9de8fef600908e0d461cb021f8c538345dd77c3e4806e25f46d3315c44e0a5b4371282dd2c8d5be3095f",
			"0fbcc2f993cd56d3305b0b7d9e55d4c1a8fb5dbb52f8e9a1e9b6201b165d015894e56c4d3570bee52fe205e28a78b91cdfbde71ce8d157db",
			"884a02576239ff7a2f2f63b2db6a9ff37047ac13568e1e30fe63c4a7ad1b3ee3a5700df34321d62077e63633c575c1c954514e99da7c179d",
		},
	} {
		scalar, u := unhex(t, v.scalar), unhex(t, v.u)
		if got := X448(&scalar, &u); got != unhex(t, v.want) {
			t.Errorf("%s · %s is %x, want %s", v.scalar, v.u, got, v.want)
		}
	}
}

// TestIterated is the second kind of test of RFC 7748 §5.2.
func TestIterated(t *testing.T) {
	k := [Size]byte{5}
	u := k
	for i := range 1_000 {
		k, u = X448(&k, &u), k
		want := map[int]string{
			0:   "3f482c8a9f19b01e6c46ee9711d9dc14fd4bf67af30765c2ae2b846a4d23a8cd0db897086239492caf350b51f833868b9bc2b3bca9cf4113",
			999: "aa3b4749d55b9daf1e5b00288826c467274ce3ebbdd5c17b975e09d4af6c67cf10d087202db88286e2b79fceea3ec353ef54faa26e219f38",
		}[i]
		if want != "" && k != unhex(t, want) {
			t.Fatalf("after %d: %x, want %s", i+1, k, want)
		}
	}
}

// TestBase: the comb finds what the ladder finds.
func TestBase(t *testing.T) {
	base := [Size]byte{5}
	ones := [Size]byte{}
	for i := range ones {
		ones[i] = 0xff
	}
	scalars := [][Size]byte{{}, ones}
	for range 200 {
		var k [Size]byte
		rand.Read(k[:])
		scalars = append(scalars, k)
	}
	for _, k := range scalars {
		if got, want := X448Base(&k), X448(&k, &base); got != want {
			t.Fatalf("%x: %x, want %x", k, got, want)
		}
	}
	// Four times the order of the base point (RFC 7748 §4.2), the only scalar
	// that leads to the neutral element.
	order, _ := new(big.Int).SetString("13818066809895115352007386748515426880336692474882178609894547503885", 10)
	order.Sub(new(big.Int).Lsh(big.NewInt(1), 446), order)
	var k [Size]byte
	for i, b := range order.Lsh(order, 2).FillBytes(make([]byte, Size)) {
		k[Size-1-i] = b
	}
	if X448Base(&k) != [Size]byte{} || X448(&k, &base) != [Size]byte{} {
		t.Error("a multiple of the order does not lead to the neutral element")
	}
}

// TestComb: each prepared point is on the curve, and the rest fits.
func TestComb(t *testing.T) {
	var d element
	invert(&d, &element{39081})
	mulSmall(&d, &d, 39082)
	for i, a := range slices.Concat(comb[0][:], comb[1][:], comb[blocks-1][:]) {
		var parts [lanes]element
		split(&a, &parts[0], &parts[1], &parts[2], &parts[3])
		x, y := toBig(&parts[0]), toBig(&parts[3])
		xy := new(big.Int).Mul(x, y)
		dxy := new(big.Int).Mul(toBig(&d), xy)
		check(t, "d·x·y", &parts[1], dxy)
		if parts[2] != (element{}) {
			t.Errorf("entry %d has something in the lane of x + y", i)
		}
		left := new(big.Int).Add(x.Mul(x, x), y.Mul(y, y))
		right := dxy.Add(dxy.Mul(dxy, xy), big.NewInt(1))
		if left.Sub(left, right).Mod(left, p).Sign() != 0 {
			t.Errorf("entry %d is not on the curve", i)
		}
	}
}

// TestNonCanonical: a coordinate from p on stands for what is left modulo p
// (RFC 7748 §5).
func TestNonCanonical(t *testing.T) {
	var k [Size]byte
	rand.Read(k[:])
	limit := new(big.Int).Lsh(big.NewInt(1), 448)
	for _, n := range []int64{0, 1, 2, 5, 1 << 40} {
		var low, high [Size]byte
		u := big.NewInt(n)
		above := new(big.Int).Add(u, p)
		if above.Cmp(limit) >= 0 {
			t.Fatal("does not fit")
		}
		for i := range Size {
			low[Size-1-i] = u.FillBytes(make([]byte, Size))[i]
			high[Size-1-i] = above.FillBytes(make([]byte, Size))[i]
		}
		if X448(&k, &low) != X448(&k, &high) {
			t.Errorf("%d and p+%d differ", n, n)
		}
	}
}

// TestLowOrder: 0, 1 and -1 are the coordinates of low order, on the curve and
// on its twist.
func TestLowOrder(t *testing.T) {
	var k, minusOne [Size]byte
	rand.Read(k[:])
	x := prime
	x[0]--
	minusOne = toBytes(&x)
	for _, u := range [][Size]byte{{}, {1}, minusOne} {
		if got := X448(&k, &u); got != [Size]byte{} {
			t.Errorf("%x leads to %x", u, got)
		}
	}
}

func BenchmarkX448(b *testing.B) {
	k, u := [Size]byte{7}, [Size]byte{5}
	b.Run("any", func(b *testing.B) {
		for b.Loop() {
			X448(&k, &u)
		}
	})
	b.Run("base", func(b *testing.B) {
		for b.Loop() {
			X448Base(&k)
		}
	})
}
