/*
 * bzrtp_pair: the CPU time of ZRTP handshakes between two contexts of Debian's
 * libbzrtp in one process, without network and without waiting; or the time
 * that calls over a distant link take to be secure, in virtual time.
 *
 * LICENCE. This file is part of Sotto and under its Apache-2.0 licence.
 * libbzrtp is GPL-3+: the program that results from linking this file with it
 * is covered by the GPL-3. It is built on the tester's machine, runs as a
 * process of its own, and is never distributed nor linked into any part of
 * Sotto.
 *
 *   bzrtp_pair KEY-AGREEMENT HASH CIPHER COUNT [LOST ONE-WAY]
 *
 * Without a link prints two numbers: CPU nanoseconds a pair to set up, and CPU
 * nanoseconds a handshake, both sides together, the average of COUNT. Exits 1
 * when a handshake does not end with the suite asked for.
 *
 * Over a link that loses LOST packets of a thousand and takes ONE-WAY
 * milliseconds prints a line a call: the milliseconds from the start of both
 * sides until the initiator was secure, and the responder; LIMIT_MS for one
 * that never was.
 */
#include <bctoolbox/crypto.h>
#include <bzrtp/bzrtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LONGEST = 2048, WAITING = 16, WARM_UP = 2, STEP_MS = 10, LIMIT_MS = 60000 };

/* One side of a handshake, and the packets on their way to it. */
struct side {
	bzrtpContext_t *ctx;
	uint32_t ssrc;
	struct side *peer;
	uint8_t role;
	int64_t secure_ms; /* -1: not yet */
	unsigned head, tail, sent;
	struct {
		uint64_t due;
		uint16_t n;
		uint8_t data[LONGEST];
	} in[WAITING];
};

struct pair {
	struct side a, b;
};

static uint8_t agreement, hash, cipher;

/* The link and the call on it; all zero without a link. */
static struct {
	uint64_t lost_per_mille, one_way, seed, now;
} link_;

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

/* lost decides what becomes of a side's packet with that index, as link.go
 * does. */
static int lost(const struct side *from, unsigned index)
{
	uint64_t x = (link_.seed << 32 | (uint64_t)(from->ssrc == 0xb) << 31 | index) + 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (x ^ x >> 31) % 1000 < link_.lost_per_mille;
}

/* What libbzrtp calls. */

static int send_packet(void *data, const uint8_t *packet, uint16_t n)
{
	struct side *from = data, *to = from->peer;
	if (lost(from, from->sent++))
		return 0;
	if (n > LONGEST || to->tail - to->head == WAITING)
		die("packet too long or too many");
	to->in[to->tail % WAITING].due = link_.now + link_.one_way;
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
	((struct side *)data)->secure_ms = link_.now;
	return 0;
}

static int agreed(void *data, int zuid, uint8_t role)
{
	(void)zuid;
	((struct side *)data)->role = role;
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
		.bzrtp_startSrtpSession = session_started, .bzrtp_contextReadyForExportedKeys = agreed};
	s->secure_ms = -1;
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
	unsigned i = s->head % WAITING;
	if (s->head == s->tail || s->in[i].due > link_.now)
		return 0;
	s->head++;
	/* Over a link some packets come twice, which libbzrtp calls an error. */
	if (bzrtp_processMessage(s->ctx, s->ssrc, s->in[i].data, s->in[i].n) != 0 && !link_.one_way)
		die("libbzrtp refused a packet");
	return 1;
}

/* handshake plays both sides until both are secure. Without a link, time passes
 * only when nothing is on its way. */
static int handshake(struct pair *p)
{
	bzrtp_startChannelEngine(p->a.ctx, p->a.ssrc);
	bzrtp_startChannelEngine(p->b.ctx, p->b.ssrc);
	for (link_.now = 0; p->a.secure_ms < 0 || p->b.secure_ms < 0; link_.now += link_.one_way ? 1 : STEP_MS) {
		if (link_.now >= LIMIT_MS)
			return 0;
		bzrtp_iterate(p->a.ctx, p->a.ssrc, link_.now);
		bzrtp_iterate(p->b.ctx, p->b.ssrc, link_.now);
		while (deliver(&p->a) | deliver(&p->b))
			;
	}
	return 1;
}

static void set_up_pair(struct pair *p)
{
	set_up(&p->a, 0xa, &p->b);
	set_up(&p->b, 0xb, &p->a);
}

static void destroy(struct pair *p)
{
	bzrtp_destroyBzrtpContext(p->a.ctx, p->a.ssrc);
	bzrtp_destroyBzrtpContext(p->b.ctx, p->b.ssrc);
}

static void measure_cpu(struct pair *pairs, int count)
{
	int all = WARM_UP + count;
	double setup = 0, shake = 0;
	for (int i = 0; i < all; i++) {
		if (i == WARM_UP)
			setup = cpu_ns();
		set_up_pair(&pairs[i]);
	}
	setup = cpu_ns() - setup;
	for (int i = 0; i < all; i++) {
		if (i == WARM_UP)
			shake = cpu_ns();
		if (!handshake(&pairs[i]))
			die("no end");
	}
	shake = cpu_ns() - shake;
	for (int i = 0; i < all; i++)
		destroy(&pairs[i]);
	printf("%.0f %.0f\n", setup / count, shake / count);
}

static void measure_calls(struct pair *p, int count)
{
	for (int i = 0; i < count; i++) {
		link_.seed = i;
		memset(p, 0, sizeof *p);
		set_up_pair(p);
		handshake(p);
		const struct side *initiator = &p->a, *responder = &p->b;
		if (p->a.role == BZRTP_ROLE_RESPONDER || p->b.role == BZRTP_ROLE_INITIATOR)
			initiator = &p->b, responder = &p->a;
		printf("%lld %lld\n", (long long)(initiator->secure_ms < 0 ? LIMIT_MS : initiator->secure_ms),
		       (long long)(responder->secure_ms < 0 ? LIMIT_MS : responder->secure_ms));
		destroy(p);
	}
}

int main(int argc, char **argv)
{
	if (argc != 5 && argc != 7)
		die("usage: bzrtp_pair KEY-AGREEMENT HASH CIPHER COUNT [LOST ONE-WAY]");
	agreement = value_of(argv[1]);
	hash = value_of(argv[2]);
	cipher = value_of(argv[3]);
	int count = atoi(argv[4]);
	if (argc == 7) {
		link_.lost_per_mille = atoi(argv[5]);
		link_.one_way = atoi(argv[6]);
	}
	size_t all = argc == 7 ? 1 : WARM_UP + count;
	struct pair *pairs = calloc(all, sizeof *pairs);
	if (count < 1 || !pairs)
		die("bad count");
	memset(pairs, 0xff, all * sizeof *pairs); /* page faults are not libbzrtp's */
	memset(pairs, 0, all * sizeof *pairs);
	if (argc == 7)
		measure_calls(pairs, count);
	else
		measure_cpu(pairs, count);
	free(pairs);
	return 0;
}
