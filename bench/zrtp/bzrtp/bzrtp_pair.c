/*
 * bzrtp_pair: the CPU time of ZRTP handshakes between two contexts of Debian's
 * libbzrtp in one process, without network and without waiting.
 *
 * LICENCE. This file is part of Sotto and under its Apache-2.0 licence.
 * libbzrtp is GPL-3+: the program that results from linking this file with it
 * is covered by the GPL-3. It is built on the tester's machine, runs as a
 * process of its own, and is never distributed nor linked into any part of
 * Sotto.
 *
 *   bzrtp_pair KEY-AGREEMENT HASH CIPHER COUNT
 *
 * Prints two numbers: CPU nanoseconds a pair to set up, and CPU nanoseconds a
 * handshake, both sides together, the average of COUNT. Exits 1 when a
 * handshake does not end with the suite asked for.
 */
#include <bctoolbox/crypto.h>
#include <bzrtp/bzrtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LONGEST = 2048, WAITING = 16, WARM_UP = 2, STEP_MS = 10, LIMIT_MS = 10000 };

/* One side of a handshake, and the packets on their way to it. */
struct side {
	bzrtpContext_t *ctx;
	uint32_t ssrc;
	struct side *peer;
	int secure;
	unsigned head, tail;
	struct {
		uint16_t n;
		uint8_t data[LONGEST];
	} in[WAITING];
};

struct pair {
	struct side a, b;
};

static uint8_t agreement, hash, cipher;

static const struct {
	const char *name;
	uint8_t value;
} algorithms[] = {
	{"DH2k", ZRTP_KEYAGREEMENT_DH2k}, {"DH3k", ZRTP_KEYAGREEMENT_DH3k},
	{"X255", ZRTP_KEYAGREEMENT_X255}, {"X448", ZRTP_KEYAGREEMENT_X448},
	{"S256", ZRTP_HASH_S256}, {"S384", ZRTP_HASH_S384},
	{"AES1", ZRTP_CIPHER_AES1}, {"AES3", ZRTP_CIPHER_AES3},
};

static void die(const char *what)
{
	fprintf(stderr, "bzrtp_pair: %s\n", what);
	exit(1);
}

static uint8_t value_of(const char *name)
{
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
		if (!strcmp(algorithms[i].name, name))
			return algorithms[i].value;
	die("unknown algorithm");
	return 0;
}

static double cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* What libbzrtp calls. */

static int send_packet(void *data, const uint8_t *packet, uint16_t n)
{
	struct side *to = ((struct side *)data)->peer;
	if (n > LONGEST || to->tail - to->head == WAITING)
		die("packet too long or too many");
	to->in[to->tail % WAITING].n = n;
	memcpy(to->in[to->tail++ % WAITING].data, packet, n);
	return 0;
}

static int secrets_ready(void *data, const bzrtpSrtpSecrets_t *s, uint8_t part)
{
	(void)data, (void)s, (void)part;
	return 0;
}

static int session_started(void *data, const bzrtpSrtpSecrets_t *s, int32_t verified)
{
	(void)verified;
	if (s->keyAgreementAlgo != agreement || s->hashAlgo != hash || s->cipherAlgo != cipher)
		die("another suite was agreed");
	((struct side *)data)->secure = 1;
	return 0;
}

static void offer(struct side *s, uint8_t type, uint8_t value)
{
	uint8_t values[7] = {value};
	bzrtp_setSupportedCryptoTypes(s->ctx, type, values, 1);
}

static void set_up(struct side *s, uint32_t ssrc, struct side *peer)
{
	static const bzrtpCallbacks_t callbacks = {
		.bzrtp_sendData = send_packet, .bzrtp_srtpSecretsAvailable = secrets_ready,
		.bzrtp_startSrtpSession = session_started};
	s->ctx = bzrtp_createBzrtpContext();
	s->ssrc = ssrc;
	s->peer = peer;
	bzrtp_setCallbacks(s->ctx, &callbacks);
	offer(s, ZRTP_KEYAGREEMENT_TYPE, agreement);
	offer(s, ZRTP_HASH_TYPE, hash);
	offer(s, ZRTP_CIPHERBLOCK_TYPE, cipher);
	offer(s, ZRTP_AUTHTAG_TYPE, ZRTP_AUTHTAG_HS80);
	offer(s, ZRTP_SAS_TYPE, ZRTP_SAS_B32);
	if (bzrtp_initBzrtpContext(s->ctx, ssrc) != 0)
		die("cannot initialise libbzrtp");
	bzrtp_setClientData(s->ctx, ssrc, s);
}

static int deliver(struct side *s)
{
	if (s->head == s->tail)
		return 0;
	unsigned i = s->head++ % WAITING;
	if (bzrtp_processMessage(s->ctx, s->ssrc, s->in[i].data, s->in[i].n) != 0)
		die("libbzrtp refused a packet");
	return 1;
}

/* handshake plays both sides; time passes only when nothing is on its way. */
static void handshake(struct pair *p)
{
	bzrtp_startChannelEngine(p->a.ctx, p->a.ssrc);
	bzrtp_startChannelEngine(p->b.ctx, p->b.ssrc);
	for (uint64_t now = 0; !p->a.secure || !p->b.secure; now += STEP_MS) {
		if (now > LIMIT_MS)
			die("no end");
		bzrtp_iterate(p->a.ctx, p->a.ssrc, now);
		bzrtp_iterate(p->b.ctx, p->b.ssrc, now);
		while (deliver(&p->a) | deliver(&p->b))
			;
	}
}

int main(int argc, char **argv)
{
	if (argc != 5)
		die("usage: bzrtp_pair KEY-AGREEMENT HASH CIPHER COUNT");
	agreement = value_of(argv[1]);
	hash = value_of(argv[2]);
	cipher = value_of(argv[3]);
	int count = atoi(argv[4]), all = WARM_UP + count;
	struct pair *pairs = calloc(all, sizeof *pairs);
	if (count < 1 || !pairs)
		die("bad count");
	memset(pairs, 0xff, all * sizeof *pairs); /* page faults are not libbzrtp's */
	memset(pairs, 0, all * sizeof *pairs);
	double setup = 0, shake = 0;
	for (int i = 0; i < all; i++) {
		if (i == WARM_UP)
			setup = cpu_ns();
		set_up(&pairs[i].a, 0xa, &pairs[i].b);
		set_up(&pairs[i].b, 0xb, &pairs[i].a);
	}
	setup = cpu_ns() - setup;
	for (int i = 0; i < all; i++) {
		if (i == WARM_UP)
			shake = cpu_ns();
		handshake(&pairs[i]);
	}
	shake = cpu_ns() - shake;
	for (int i = 0; i < all; i++) {
		bzrtp_destroyBzrtpContext(pairs[i].a.ctx, pairs[i].a.ssrc);
		bzrtp_destroyBzrtpContext(pairs[i].b.ctx, pairs[i].b.ssrc);
	}
	free(pairs);
	printf("%.0f %.0f\n", setup / count, shake / count);
	return 0;
}
