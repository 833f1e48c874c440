/*
 * limit: what this processor needs for the cryptography of one SRTP packet and
 * nothing else: no parsing, no index, no replay window, keys in the cache. A
 * library can get close to it, not below.
 *
 * Build: gcc -O3 -march=native -o limit limit.c; it takes the widest
 * instructions that there are and refuses processors without AES-NI,
 * PCLMULQDQ and SHA-NI. limit.go drives it and checks its packets against
 * Go's standard library.
 *
 * A request is a line, "cm|gcm KEYBYTES SIZE PACKETS": counter mode with
 * HMAC-SHA1 or Galois/counter mode, SIZE bytes of payload, PACKETS at a time
 * at most. The answer is a line, "NANOSECONDS PACKET": the median for one
 * packet, and a packet protected with known keys, in hexadecimal.
 */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if !defined __AES__ || !defined __PCLMUL__ || !defined __SHA__ || !defined __AVX2__
#error this processor has not all of AES-NI, PCLMULQDQ, SHA-NI and AVX2
#endif

enum { CHUNK = 256, STRIDE = 512, HEADER = 12, TAG = 10, CONTEXTS = 32, REPEATS = 31, POWERS = 24, BLOCKS = 6 };

#define INLINE static inline __attribute__((always_inline))

/* A wide register holds several AES blocks. */
#if defined __AVX512BW__ && defined __AVX512VL__ && defined __VAES__ && defined __VPCLMULQDQ__
typedef __m512i wide;
#define OP(name) _mm512_##name
#define XOR _mm512_xor_si512
#define AND _mm512_and_si512
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, x) _mm512_storeu_si512((void *)(p), x)
#define BROADCAST _mm512_broadcast_i32x4
#define AESENC _mm512_aesenc_epi128
#define AESLAST _mm512_aesenclast_epi128
#define CLMUL _mm512_clmulepi64_epi128
#elif defined __VAES__ && defined __VPCLMULQDQ__
typedef __m256i wide;
#define OP(name) _mm256_##name
#define XOR _mm256_xor_si256
#define AND _mm256_and_si256
#define LOAD(p) _mm256_loadu_si256((const void *)(p))
#define STORE(p, x) _mm256_storeu_si256((void *)(p), x)
#define BROADCAST _mm256_broadcastsi128_si256
#define AESENC _mm256_aesenc_epi128
#define AESLAST _mm256_aesenclast_epi128
#define CLMUL _mm256_clmulepi64_epi128
#else
typedef __m128i wide;
#define OP(name) _mm_##name
#define XOR _mm_xor_si128
#define AND _mm_and_si128
#define LOAD(p) _mm_loadu_si128((const void *)(p))
#define STORE(p, x) _mm_storeu_si128((void *)(p), x)
#define BROADCAST(x) (x)
#define AESENC _mm_aesenc_si128
#define AESLAST _mm_aesenclast_si128
#define CLMUL _mm_clmulepi64_si128
#endif

/* A lane register holds one word of several SHA-1 computations. */
#if defined __AVX512BW__
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif
typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));
typedef uint8_t lane_bytes __attribute__((vector_size(4 * LANES)));

struct context {
	__m128i round[15];
	uint32_t inner[8], outer[8]; /* SHA-1 states after HMAC's key block */
	__m128i powers[POWERS];      /* of H, the highest first */
	__m128i salt;
	int rounds;
} __attribute__((aligned(64)));

/* What follows a message of the size at hand, up to a block's end, and where
 * the message is. */
static uint8_t inside[BLOCKS * 64], padding[BLOCKS * 64];

/* ---- AES: FIPS 197 */

static uint8_t substitute(uint8_t x) { return _mm_extract_epi8(_mm_aeskeygenassist_si128(_mm_set1_epi8(x), 0), 0); }

/* expand is FIPS 197 §5.2, byte by byte. */
static void expand(struct context *c, const uint8_t *key, int length)
{
	uint8_t w[240], constant = 1;
	c->rounds = length / 4 + 6;
	memcpy(w, key, length);
	for (int i = length; i < 16 * (c->rounds + 1); i += 4) {
		uint8_t t[4] = {w[i - 4], w[i - 3], w[i - 2], w[i - 1]};
		if (i % length == 0) {
			uint8_t first = t[0];
			t[0] = substitute(t[1]) ^ constant;
			t[1] = substitute(t[2]);
			t[2] = substitute(t[3]);
			t[3] = substitute(first);
			constant = constant << 1 ^ (constant >> 7) * 0x1b;
		} else if (length == 32 && i % 32 == 16) {
			for (int j = 0; j < 4; j++)
				t[j] = substitute(t[j]);
		}
		for (int j = 0; j < 4; j++)
			w[i + j] = w[i + j - length] ^ t[j];
	}
	memcpy(c->round, w, 16 * (c->rounds + 1));
}

/* counters makes n wide registers of counter blocks, the first of which is iv
 * with first added in its last byte; that byte has no carry for our sizes. */
INLINE void counters(wide *x, int n, __m128i iv, int first)
{
	enum { EACH = sizeof(wide) / 16 };
	uint8_t steps[sizeof(wide)] __attribute__((aligned(64))) = {0};
	for (int i = 0; i < EACH; i++)
		steps[16 * i + 15] = first + i;
	wide block = OP(add_epi8)(BROADCAST(iv), LOAD(steps));
	for (int i = 0; i < n; i++)
		x[i] = OP(add_epi8)(block, BROADCAST(_mm_set_epi64x((uint64_t)(i * EACH) << 56, 0)));
}

INLINE void encrypt(wide *x, int n, const struct context *c, const int rounds)
{
	wide key = BROADCAST(c->round[0]);
	for (int i = 0; i < n; i++)
		x[i] = XOR(x[i], key);
	for (int r = 1; r < rounds; r++) {
		key = BROADCAST(c->round[r]);
		for (int i = 0; i < n; i++)
			x[i] = AESENC(x[i], key);
	}
	key = BROADCAST(c->round[rounds]);
	for (int i = 0; i < n; i++)
		x[i] = AESLAST(x[i], key);
}

/* counter_mode encrypts what is behind the header, and up to a register's
 * width more: padding and tag come there afterwards. */
INLINE void counter_mode(const struct context *c, const int rounds, uint8_t *packet, const int size)
{
	wide x[320 / sizeof(wide)];
	const int n = (size + sizeof(wide) - 1) / sizeof(wide);
	uint32_t ssrc;
	uint16_t seq;
	memcpy(&seq, packet + 2, 2);
	memcpy(&ssrc, packet + 8, 4);
	/* RFC 3711 §4.1.1, with a roll-over counter of zero */
	__m128i iv = _mm_insert_epi16(_mm_insert_epi32(_mm_setzero_si128(), ssrc, 1), seq, 6);
	counters(x, n, _mm_xor_si128(iv, c->salt), 0);
	encrypt(x, n, c, rounds);
	for (int i = 0; i < n; i++) {
		uint8_t *p = packet + HEADER + i * sizeof(wide);
		STORE(p, XOR(x[i], LOAD(p)));
	}
}

/* ---- SHA-1: FIPS 180-4 §6.1, with the instructions made for it */

#define SWAP _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f)

/* Four rounds of each of k computations. */
#define ROUNDS4(g)                                                                                                     \
	for (int i = 0; i < k; i++) {                                                                                  \
		if ((g) >= 4)                                                                                            \
			w[i][(g) % 4] = _mm_sha1msg2_epu32(                                                              \
				_mm_xor_si128(_mm_sha1msg1_epu32(w[i][(g) % 4], w[i][((g) + 1) % 4]), w[i][((g) + 2) % 4]),  \
				w[i][((g) + 3) % 4]);                                                                    \
		__m128i e = (g) ? _mm_sha1nexte_epu32(before[i], w[i][(g) % 4]) : _mm_add_epi32(state[i][1], w[i][0]);     \
		before[i] = now[i];                                                                                    \
		now[i] = _mm_sha1rnds4_epu32(now[i], e, (g) / 5);                                                        \
	}
#define ROUNDS20(g) ROUNDS4(g) ROUNDS4(g + 1) ROUNDS4(g + 2) ROUNDS4(g + 3) ROUNDS4(g + 4)

/* compress takes a block into each of k states; state[i][0] is a b c d from
 * the top down, state[i][1] has e at its top. */
INLINE void compress(const int k, __m128i state[][2], __m128i w[][4])
{
	__m128i now[4], before[4];
	for (int i = 0; i < k; i++)
		before[i] = now[i] = state[i][0];
	ROUNDS20(0) ROUNDS20(5) ROUNDS20(10) ROUNDS20(15)
	for (int i = 0; i < k; i++) {
		state[i][1] = _mm_sha1nexte_epu32(before[i], state[i][1]);
		state[i][0] = _mm_add_epi32(state[i][0], now[i]);
	}
}

INLINE void load_state(__m128i *state, const uint32_t *words)
{
	state[0] = _mm_shuffle_epi32(_mm_loadu_si128((const void *)words), 0x1b);
	state[1] = _mm_set_epi32(words[4], 0, 0, 0);
}

static void key_state(uint32_t *words, const uint8_t *key, uint8_t pad)
{
	static const uint32_t start[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	uint8_t block[64];
	__m128i state[1][2], w[1][4];
	for (int i = 0; i < 64; i++)
		block[i] = pad ^ (i < 20 ? key[i] : 0);
	for (int i = 0; i < 4; i++)
		w[0][i] = _mm_shuffle_epi8(_mm_loadu_si128((void *)(block + 16 * i)), SWAP);
	load_state(state[0], start);
	compress(1, state, w);
	_mm_storeu_si128((void *)words, _mm_shuffle_epi32(state[0][0], 0x1b));
	words[4] = _mm_extract_epi32(state[0][1], 3);
}

/* sum is HMAC-SHA1 of k packets, whose tags it writes: RFC 2104, RFC 3711
 * §4.2.1. */
INLINE void sum(const int k, const struct context *const *c, uint8_t *const *packets, const int size)
{
	const int length = HEADER + size, blocks = (length + 4 + 9 + 63) / 64;
	__m128i state[4][2], w[4][4];
	_mm256_zeroupper(); /* SHA instructions crawl behind half-used wide registers */
	for (int i = 0; i < k; i++)
		load_state(state[i], c[i]->inner);
	for (int at = 0; at < blocks * 64; at += 64) {
		for (int i = 0; i < k; i++)
			for (int j = 0; j < 4; j++) {
				int chunk = at + 16 * j;
				__m128i x = chunk < length ? _mm_loadu_si128((void *)(packets[i] + chunk)) : _mm_setzero_si128();
				if (chunk + 16 > length)
					x = _mm_or_si128(_mm_and_si128(x, _mm_loadu_si128((void *)(inside + chunk))),
						_mm_loadu_si128((void *)(padding + chunk)));
				w[i][j] = _mm_shuffle_epi8(x, SWAP);
			}
		compress(k, state, w);
	}
	for (int i = 0; i < k; i++) {
		w[i][0] = state[i][0];
		w[i][1] = _mm_or_si128(state[i][1], _mm_set_epi32(0, 0x80000000, 0, 0));
		w[i][2] = _mm_setzero_si128();
		w[i][3] = _mm_set_epi32(0, 0, 0, 8 * (64 + 20));
		load_state(state[i], c[i]->outer);
	}
	compress(k, state, w);
	for (int i = 0; i < k; i++) {
		__m128i tag = _mm_shuffle_epi8(state[i][0], SWAP);
		memcpy(packets[i] + length, &tag, TAG);
	}
}

/* ---- SHA-1 of many packets, a lane each */

INLINE lanes rotate(lanes x, int n) { return x << n | x >> (32 - n); }

/* transpose exchanges rows and columns, halves first. */
INLINE void transpose(lanes *x)
{
	lanes low, high;
#pragma GCC unroll 4
	for (unsigned d = LANES / 2; d; d /= 2) {
#pragma GCC unroll 16
		for (unsigned j = 0; j < LANES; j++) {
			low[j] = j & d ? LANES + j - d : j;
			high[j] = j & d ? LANES + j : j + d;
		}
#pragma GCC unroll 16
		for (int i = 0; i < LANES; i++)
			if (!(i & d)) {
				lanes a = x[i], b = x[i + d];
				x[i] = __builtin_shuffle(a, b, low);
				x[i + d] = __builtin_shuffle(a, b, high);
			}
	}
}

#define ROUND(i, f, k)                                                                                                 \
	{                                                                                                              \
		if ((i) >= 16)                                                                                           \
			w[(i) % 16] = rotate(w[((i) + 13) % 16] ^ w[((i) + 8) % 16] ^ w[((i) + 2) % 16] ^ w[(i) % 16], 1);       \
		lanes t = rotate(a, 5) + (f) + e + k + w[(i) % 16];                                                      \
		e = d, d = c, c = rotate(b, 30), b = a, a = t;                                                         \
	}
#define ROUND4(i, f, k) ROUND(i, f, k) ROUND(i + 1, f, k) ROUND(i + 2, f, k) ROUND(i + 3, f, k)
#define ROUND20(i, f, k)                                                                                               \
	ROUND4(i, f, k) ROUND4(i + 4, f, k) ROUND4(i + 8, f, k) ROUND4(i + 12, f, k) ROUND4(i + 16, f, k)

static __attribute__((noinline)) void compress_lanes(lanes *state, lanes *w)
{
	lanes a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
	ROUND20(0, d ^ (b & (c ^ d)), 0x5a827999)
	ROUND20(20, b ^ c ^ d, 0x6ed9eba1)
	ROUND20(40, (b & c) | (d & (b | c)), 0x8f1bbcdc)
	ROUND20(60, b ^ c ^ d, 0xca62c1d6)
	state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

INLINE lanes swap_bytes(lanes x)
{
	lane_bytes order;
	for (int i = 0; i < 4 * LANES; i++)
		order[i] = i ^ 3;
	return (lanes)__builtin_shuffle((lane_bytes)x, order);
}

INLINE lanes load_lanes(const void *p)
{
	lanes x;
	memcpy(&x, p, sizeof x);
	return x;
}

/* sum_lanes is sum for LANES packets. */
INLINE void sum_lanes(const struct context *const *c, uint8_t *const *packets, const int size)
{
	const int length = HEADER + size, blocks = (length + 4 + 9 + 63) / 64;
	lanes inner[LANES], outer[LANES], w[16];
	for (int i = 0; i < LANES; i++) {
		inner[i] = load_lanes(c[i]->inner);
		outer[i] = load_lanes(LANES == 16 ? c[i]->inner : c[i]->outer);
	}
	transpose(inner);
	if (LANES == 16) /* one row held both */
		memcpy(outer, inner + 8 % LANES, 8 * sizeof *outer);
	else
		transpose(outer);
	for (int at = 0; at < blocks * 64; at += 64) {
		for (int part = 0; part < 16; part += LANES) {
			int from = at + 4 * part;
			for (int i = 0; i < LANES; i++) {
				w[part + i] = from < length ? load_lanes(packets[i] + from) : (lanes){0};
				if (from + 4 * LANES > length)
					w[part + i] = (w[part + i] & load_lanes(inside + from)) | load_lanes(padding + from);
				w[part + i] = swap_bytes(w[part + i]);
			}
			transpose(w + part);
		}
		compress_lanes(inner, w);
	}
	memset(w, 0, sizeof w);
	memcpy(w, inner, 5 * sizeof *w);
	w[5] = (lanes){0} + 0x80000000;
	w[15] = (lanes){0} + 8 * (64 + 20);
	compress_lanes(outer, w);
	for (int i = 0; i < 5; i++)
		outer[i] = swap_bytes(outer[i]);
	transpose(outer);
	for (int i = 0; i < LANES; i++)
		memcpy(packets[i] + length, outer + i, TAG);
}

/* ---- GHASH: SP 800-38D §6.4, on reflected bits */

/* reduce brings a product of 256 bits, of which middle stands across the
 * halves, back to 128. */
INLINE __m128i reduce(__m128i low, __m128i middle, __m128i high)
{
	const __m128i polynomial = _mm_set_epi64x(0, 0xc200000000000000);
	low = _mm_xor_si128(low, _mm_slli_si128(middle, 8));
	high = _mm_xor_si128(high, _mm_srli_si128(middle, 8));
	for (int i = 0; i < 2; i++)
		low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, polynomial, 0));
	return _mm_xor_si128(low, high);
}

static __m128i multiply(__m128i a, __m128i b)
{
	return reduce(_mm_clmulepi64_si128(a, b, 0),
		_mm_xor_si128(_mm_clmulepi64_si128(a, b, 1), _mm_clmulepi64_si128(a, b, 16)), _mm_clmulepi64_si128(a, b, 17));
}

static void hash_powers(struct context *c)
{
	__m128i h = c->round[0];
	for (int r = 1; r < c->rounds; r++)
		h = _mm_aesenc_si128(h, c->round[r]);
	h = _mm_shuffle_epi8(_mm_aesenclast_si128(h, c->round[c->rounds]), SWAP);
	uint64_t low = _mm_extract_epi64(h, 0), high = _mm_extract_epi64(h, 1), carry = high >> 63;
	/* H times x, so that products of reflected numbers need no shift */
	h = _mm_set_epi64x((high << 1 | low >> 63) ^ carry * 0xc200000000000000, low << 1 ^ carry);
	c->powers[POWERS - 1] = h;
	for (int i = POWERS - 1; i > 0; i--)
		c->powers[i - 1] = multiply(c->powers[i], h);
}

INLINE __m128i fold(wide x)
{
	__m128i parts[sizeof(wide) / 16], all = _mm_setzero_si128();
	memcpy(parts, &x, sizeof x);
	for (unsigned i = 0; i < sizeof(wide) / 16; i++)
		all = _mm_xor_si128(all, parts[i]);
	return all;
}

/* galois is RFC 7714 §8.1: nonce, counter mode and GHASH, reduced once. */
INLINE void galois(const struct context *c, const int rounds, uint8_t *packet, const int size)
{
	const int n = (size + sizeof(wide) - 1) / sizeof(wide), blocks = (size + 15) / 16 + 2;
	wide x[320 / sizeof(wide) + 1];
	uint32_t ssrc;
	uint16_t seq;
	memcpy(&seq, packet + 2, 2);
	memcpy(&ssrc, packet + 8, 4);
	__m128i iv = _mm_insert_epi16(_mm_setzero_si128(), ssrc, 1);
	iv = _mm_xor_si128(_mm_insert_epi16(_mm_insert_epi16(iv, ssrc >> 16, 2), seq, 5), c->salt);
	counters(x, n, iv, 2);
	x[n] = BROADCAST(_mm_insert_epi8(iv, 1, 15)); /* the block that hides the tag */
	encrypt(x, n + 1, c, rounds);

	const __m128i *powers = c->powers + POWERS - blocks;
	__m128i header = _mm_shuffle_epi8(_mm_and_si128(_mm_loadu_si128((void *)packet), _mm_set_epi32(0, -1, -1, -1)), SWAP);
	__m128i lengths = _mm_set_epi64x(8 * HEADER, 8 * size), last = powers[blocks - 1];
	__m128i low = _mm_xor_si128(_mm_clmulepi64_si128(header, powers[0], 0), _mm_clmulepi64_si128(lengths, last, 0));
	__m128i high = _mm_xor_si128(_mm_clmulepi64_si128(header, powers[0], 17), _mm_clmulepi64_si128(lengths, last, 17));
	__m128i middle = _mm_xor_si128(_mm_clmulepi64_si128(header, powers[0], 1), _mm_clmulepi64_si128(header, powers[0], 16));
	middle = _mm_xor_si128(middle, _mm_xor_si128(_mm_clmulepi64_si128(lengths, last, 1), _mm_clmulepi64_si128(lengths, last, 16)));
	wide l = BROADCAST(_mm_setzero_si128()), m = l, h = l;
	for (int i = 0; i < n; i++) {
		uint8_t *p = packet + HEADER + i * sizeof(wide);
		wide y = XOR(x[i], LOAD(p)), power = LOAD(powers + 1 + i * (sizeof(wide) / 16));
		STORE(p, y);
		if ((i + 1) * (int)sizeof(wide) > size)
			y = AND(y, LOAD(inside + HEADER + i * sizeof(wide)));
		y = OP(shuffle_epi8)(y, BROADCAST(SWAP));
		l = XOR(l, CLMUL(y, power, 0));
		h = XOR(h, CLMUL(y, power, 17));
		m = XOR(m, XOR(CLMUL(y, power, 1), CLMUL(y, power, 16)));
	}
	__m128i tag = reduce(_mm_xor_si128(low, fold(l)), _mm_xor_si128(middle, fold(m)), _mm_xor_si128(high, fold(h)));
	__m128i mask;
	memcpy(&mask, &x[n], 16);
	_mm_storeu_si128((void *)(packet + HEADER + size), _mm_xor_si128(_mm_shuffle_epi8(tag, SWAP), mask));
}

/* ---- what is measured */

/* What there is for one size of payload. The compiler gets the size and the
 * number of rounds as constants. */
struct way {
	int size;
	void (*counter_mode)(const struct context *, uint8_t *), (*galois)(const struct context *, uint8_t *);
	void (*sum[4])(const struct context *const *, uint8_t *const *); /* as at_once says */
};
static const int at_once[4] = {1, 2, 4, LANES};

#define OUTLINE static __attribute__((noinline)) void
#define FOR_SIZE(size)                                                                                                 \
	OUTLINE counter_mode_##size(const struct context *c, uint8_t *p)                                               \
	{                                                                                                              \
		if (c->rounds == 10)                                                                                   \
			counter_mode(c, 10, p, size);                                                                  \
		else if (c->rounds == 12)                                                                              \
			counter_mode(c, 12, p, size);                                                                  \
		else                                                                                                   \
			counter_mode(c, 14, p, size);                                                                  \
	}                                                                                                              \
	OUTLINE galois_##size(const struct context *c, uint8_t *p)                                                     \
	{                                                                                                              \
		if (c->rounds == 10)                                                                                   \
			galois(c, 10, p, size);                                                                        \
		else                                                                                                   \
			galois(c, 14, p, size);                                                                        \
	}                                                                                                              \
	OUTLINE one_##size(const struct context *const *c, uint8_t *const *p) { sum(1, c, p, size); }                  \
	OUTLINE two_##size(const struct context *const *c, uint8_t *const *p) { sum(2, c, p, size); }                  \
	OUTLINE four_##size(const struct context *const *c, uint8_t *const *p) { sum(4, c, p, size); }                 \
	OUTLINE many_##size(const struct context *const *c, uint8_t *const *p) { sum_lanes(c, p, size); }
FOR_SIZE(40)
FOR_SIZE(80)
FOR_SIZE(160)
FOR_SIZE(320)

#define WAY(size) {size, counter_mode_##size, galois_##size, {one_##size, two_##size, four_##size, many_##size}}
static const struct way ways[] = {WAY(40), WAY(80), WAY(160), WAY(320)};
enum { WAYS = sizeof ways / sizeof *ways };

static struct context contexts[CONTEXTS];
static uint8_t packets[CHUNK][STRIDE] __attribute__((aligned(64)));

/* prepare sets the keys and what is known of a packet of the size. The bytes
 * are those that limit.go expects. */
static void prepare(int galois, int key_bytes, int size)
{
	int length = HEADER + size, last = (length + 4 + 9 + 63) / 64 * 64;
	for (int i = 0; i < CONTEXTS; i++) {
		uint8_t key[32], authentication[20], salt[16] = {0};
		for (int j = 0; j < 32; j++)
			key[j] = 7 * j + i;
		for (int j = 0; j < 20; j++)
			authentication[j] = 5 * j + i;
		for (int j = 0; j < (galois ? 12 : 14); j++)
			salt[j] = 11 * j + i;
		expand(&contexts[i], key, key_bytes);
		hash_powers(&contexts[i]);
		key_state(contexts[i].inner, authentication, 0x36);
		key_state(contexts[i].outer, authentication, 0x5c);
		memcpy(&contexts[i].salt, salt, 16);
	}
	memset(inside, 0, sizeof inside);
	memset(inside, 0xff, length);
	memset(padding, 0, sizeof padding);
	padding[length + 4] = 0x80; /* behind the roll-over counter, which is zero */
	padding[last - 2] = (64 + length + 4) * 8 >> 8;
	padding[last - 1] = (64 + length + 4) * 8;
}

static void fill(int length)
{
	for (int i = 0; i < CHUNK; i++)
		for (int j = 0; j < length; j++)
			packets[i][j] = j == 0 ? 0x80 : 3 * j + i;
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* protect works on all packets, and sums so many at once; none: Galois mode. */
static void protect(const struct way *way, int sums)
{
	const struct context *c[LANES];
	uint8_t *p[LANES];
	int n = sums < 0 ? 1 : at_once[sums];
	for (int at = 0; at < CHUNK; at += n) {
		for (int i = 0; i < n; i++) {
			c[i] = contexts + (at + i) % CONTEXTS;
			p[i] = packets[at + i];
			(sums < 0 ? way->galois : way->counter_mode)(c[i], p[i]);
		}
		if (sums >= 0)
			way->sum[sums](c, p);
	}
}

/* measure is the median for one packet. */
static double measure(const struct way *way, int sums)
{
	double all[REPEATS];
	for (int i = -2; i < REPEATS; i++) {
		fill(HEADER + way->size);
		uint64_t start = now();
		protect(way, sums);
		if (i >= 0)
			all[i] = (now() - start) / (double)CHUNK;
	}
	qsort(all, REPEATS, sizeof *all, compare);
	return all[REPEATS / 2];
}

int main(void)
{
	char mode[8];
	int key_bytes, size, most;
	while (scanf("%7s %d %d %d", mode, &key_bytes, &size, &most) == 4) {
		int galois = !strcmp(mode, "gcm"), tag = galois ? 16 : TAG, best = galois ? -1 : 0;
		const struct way *way = ways;
		while (way < ways + WAYS && way->size != size)
			way++;
		if (way == ways + WAYS || (key_bytes != 16 && key_bytes != 24 && key_bytes != 32))
			return 2;
		prepare(galois, key_bytes, size);
		double least = measure(way, best);
		for (int sums = 1; !galois && sums < 4 && at_once[sums] <= most; sums++) {
			double spent = measure(way, sums);
			if (spent < least)
				least = spent, best = sums;
		}
		fill(HEADER + size);
		protect(way, best);
		printf("%.1f ", least);
		for (int i = 0; i < HEADER + size + tag; i++)
			printf("%02x", packets[1][i]);
		printf("\n");
		fflush(stdout);
	}
	return 0;
}
