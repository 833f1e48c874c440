/*
 * bzrtp_peer: a ZRTP endpoint on loopback UDP, made of Debian's libbzrtp, for
 * the interoperability tests to agree keys with. It has one media stream for
 * each pair of --bind and --peer, at most two; the second gets its keys from
 * the first one's (RFC 6189 §4.4.3).
 *
 * LICENCE. This file is part of Sotto and under its Apache-2.0 licence.
 * libbzrtp is GPL-3+: the program that results from linking this file with it
 * is covered by the GPL-3. It is built on the tester's machine, runs as a
 * process of its own that the tests talk to over UDP and pipes, and is never
 * distributed nor linked into any part of Sotto.
 *
 * Build (packages gcc libbzrtp-dev libsqlite3-dev):
 *   gcc -O2 -Wall -Wextra -rdynamic -o bzrtp_peer bzrtp_peer.c -lbzrtp -lbctoolbox -lsqlite3 -ldl
 * -rdynamic lets the two key generation functions at the end of this file
 * take the place of libbctoolbox's, which is how --evil-pv works.
 *
 * The process ends when its standard input is closed, or after --timeout.
 * Standard output carries one event a line, "NAME key=value ..."; streams count
 * from 1:
 *   BOUND stream=... port=...      our port; with --bind 127.0.0.1:0 the kernel chose
 *   ZRTPHASH <version> <hex>       hash of our Hello, as in a=zrtp-hash
 *   SENDS stream=... key= salt=    SRTP master key and salt in hex
 *   RECEIVES stream=... key= salt= likewise
 *   SECURE stream=... sas="..." .. the handshake is complete
 *   EXPORTED role=... key=...      32 bytes exported under "interop-test"
 *   RX ... error=0x..              libbzrtp refused a packet
 *   DONE secure=0|1                last line; 1: every stream is secure
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <bctoolbox/crypto.h>
#include <bzrtp/bzrtp.h>
#include <dlfcn.h>
#include <getopt.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SSRC = 0xb0b00000, HEADER = 12, SHORTEST = 28, MAX_STREAMS = 2 /* libbzrtp 5.1 has no more */ };

static struct options {
	const char *bind[MAX_STREAMS + 1], *peer[MAX_STREAMS + 1], *db, *self, *other, *aux, *peer_hash, *evil;
	char *ka, *hash, *cipher, *auth, *sas;
	int verify, responder, timeout;
} opt = {.self = "sip:bzrtp@127.0.0.1", .other = "sip:peer@127.0.0.1", .timeout = 10000};

static struct stream {
	int number, sock, secure;
	uint32_t ssrc;
	struct sockaddr_in peer;
	bzrtpContext_t *ctx; /* one for all streams of a call */
} streams[MAX_STREAMS];
static int stream_count;

static const struct { const char *name; uint8_t value; } algorithms[] = {
	{"S256", ZRTP_HASH_S256}, {"S384", ZRTP_HASH_S384},
	{"AES1", ZRTP_CIPHER_AES1}, {"AES3", ZRTP_CIPHER_AES3},
	{"HS32", ZRTP_AUTHTAG_HS32}, {"HS80", ZRTP_AUTHTAG_HS80},
	{"DH3k", ZRTP_KEYAGREEMENT_DH3k}, {"DH2k", ZRTP_KEYAGREEMENT_DH2k},
	{"X255", ZRTP_KEYAGREEMENT_X255}, {"X448", ZRTP_KEYAGREEMENT_X448}, {"Mult", ZRTP_KEYAGREEMENT_Mult},
	{"B32", ZRTP_SAS_B32}, {"B256", ZRTP_SAS_B256},
};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

static void die(const char *what)
{
	fprintf(stderr, "bzrtp_peer: %s\n", what);
	exit(2);
}

static const char *name_of(uint8_t value)
{
	for (int i = 0; i < ALGORITHMS; i++)
		if (algorithms[i].value == value)
			return algorithms[i].name;
	return "unknown";
}

static void print_hex(const char *key, const uint8_t *p, size_t n)
{
	printf(" %s=", key);
	while (n--)
		printf("%02x", *p++);
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What libbzrtp calls. */

static int send_packet(void *data, const uint8_t *packet, uint16_t n)
{
	const struct stream *to = data;
	ssize_t sent = sendto(to->sock, packet, n, 0, (const struct sockaddr *)&to->peer, sizeof to->peer);
	return sent == n ? 0 : -1;
}

static void print_keys(const char *event, int stream, const uint8_t *key, size_t key_n, const uint8_t *salt, size_t salt_n)
{
	printf("%s stream=%d", event, stream);
	print_hex("key", key, key_n);
	print_hex("salt", salt, salt_n);
	printf("\n");
}

static int secrets_ready(void *data, const bzrtpSrtpSecrets_t *s, uint8_t part)
{
	int n = ((struct stream *)data)->number;
	if (part & ZRTP_SRTP_SECRETS_FOR_SENDER)
		print_keys("SENDS", n, s->selfSrtpKey, s->selfSrtpKeyLength, s->selfSrtpSalt, s->selfSrtpSaltLength);
	if (part & ZRTP_SRTP_SECRETS_FOR_RECEIVER)
		print_keys("RECEIVES", n, s->peerSrtpKey, s->peerSrtpKeyLength, s->peerSrtpSalt, s->peerSrtpSaltLength);
	return 0;
}

static int session_started(void *data, const bzrtpSrtpSecrets_t *s, int32_t verified)
{
	struct stream *of = data;
	of->secure = 1;
	printf("SECURE stream=%d sas=\"%s\" verified=%d ka=%s hash=%s cipher=%s auth=%s sastype=%s cachemismatch=%d auxmismatch=%d\n",
	       of->number, s->sas ? s->sas : "", verified, name_of(s->keyAgreementAlgo), name_of(s->hashAlgo),
	       name_of(s->cipherAlgo), name_of(s->authTagAlgo), name_of(s->sasAlgo), s->cacheMismatch, s->auxSecretMismatch);
	return 0;
}

static int export_ready(void *data, int zuid, uint8_t role)
{
	static const char label[] = "interop-test";
	uint8_t key[32];
	size_t n = sizeof key;
	(void)zuid;
	if (bzrtp_exportKey(((struct stream *)data)->ctx, (char *)label, sizeof label - 1, key, &n) != 0)
		die("key export failed");
	printf("EXPORTED role=%s", role == BZRTP_ROLE_INITIATOR ? "initiator" : "responder");
	print_hex("key", key, n);
	printf("\n");
	return 0;
}

/* Setting up. */

static struct sockaddr_in loopback(const char *text)
{
	char host[32];
	struct sockaddr_in a = {.sin_family = AF_INET};
	snprintf(host, sizeof host, "%s", text ? text : "");
	char *colon = strrchr(host, ':');
	if (!colon)
		die("--bind and --peer take 127.0.0.1:port");
	*colon = 0;
	a.sin_port = htons(atoi(colon + 1));
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || (ntohl(a.sin_addr.s_addr) >> 24) != 127)
		die("loopback addresses only");
	return a;
}

/* open_stream gives the next stream its socket, at self. */
static void open_stream(struct sockaddr_in self, struct sockaddr_in peer)
{
	struct stream *s = &streams[stream_count++];
	socklen_t size = sizeof self;
	s->number = stream_count;
	s->ssrc = SSRC + stream_count;
	s->peer = peer;
	s->sock = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(s->sock, (struct sockaddr *)&self, size) != 0)
		die("cannot bind");
	getsockname(s->sock, (struct sockaddr *)&self, &size);
	printf("BOUND stream=%d port=%d\n", s->number, ntohs(self.sin_port));
}

static void offer(bzrtpContext_t *ctx, uint8_t type, char *list)
{
	uint8_t values[7], n = 0;
	if (!list)
		return;
	for (char *p = strtok(list, ","); p && n < sizeof values; p = strtok(NULL, ",")) {
		int i = 0;
		while (i < ALGORITHMS && strcmp(algorithms[i].name, p))
			i++;
		if (i == ALGORITHMS)
			die("unknown algorithm");
		values[n++] = algorithms[i].value;
	}
	bzrtp_setSupportedCryptoTypes(ctx, type, values, n);
}

static void add(const char **list, const char *address)
{
	int n = 0;
	while (list[n])
		n++;
	if (n == MAX_STREAMS)
		die("too many streams");
	list[n] = address;
}

static void parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{"bind", 1, 0, 'b'}, {"peer", 1, 0, 'p'}, {"db", 1, 0, 'd'}, {"self", 1, 0, 's'}, {"other", 1, 0, 'o'},
		{"ka", 1, 0, 'k'}, {"hash", 1, 0, 'h'}, {"cipher", 1, 0, 'c'}, {"auth", 1, 0, 'a'}, {"sas", 1, 0, 'S'},
		{"peer-hello-hash", 1, 0, 'H'}, {"aux", 1, 0, 'x'}, {"timeout", 1, 0, 't'}, {"evil-pv", 1, 0, 'e'},
		{"verify", 0, 0, 'v'}, {"responder", 0, 0, 'r'}, {0, 0, 0, 0}};
	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
		switch (c) {
		case 'b': add(opt.bind, optarg); break;
		case 'p': add(opt.peer, optarg); break;
		case 'd': opt.db = optarg; break;        /* SQLite file for the ZID and the retained secrets */
		case 's': opt.self = optarg; break;      /* own and peer's URI: keys of the cache */
		case 'o': opt.other = optarg; break;
		case 'k': opt.ka = optarg; break;        /* comma lists, best first */
		case 'h': opt.hash = optarg; break;
		case 'c': opt.cipher = optarg; break;
		case 'a': opt.auth = optarg; break;
		case 'S': opt.sas = optarg; break;
		case 'H': opt.peer_hash = optarg; break; /* "1.10 <hex>", as in a=zrtp-hash */
		case 'x': opt.aux = optarg; break;       /* auxiliary shared secret, text */
		case 't': opt.timeout = atoi(optarg); break; /* ms */
		case 'e': opt.evil = optarg; break;      /* zero|one|pminus1: send this as public value */
		case 'v': opt.verify = 1; break;         /* mark the SAS verified as soon as secure */
		case 'r': opt.responder = 1; break;      /* never commit: see pump() */
		default: die("unknown option");
		}
}

static bzrtpContext_t *new_context(sqlite3 **cache)
{
	static const bzrtpCallbacks_t callbacks = {
		.bzrtp_sendData = send_packet, .bzrtp_srtpSecretsAvailable = secrets_ready,
		.bzrtp_startSrtpSession = session_started, .bzrtp_contextReadyForExportedKeys = export_ready};
	bzrtpContext_t *ctx = bzrtp_createBzrtpContext();
	bzrtp_setCallbacks(ctx, &callbacks);
	if (opt.db) {
		if (sqlite3_open(opt.db, cache) != SQLITE_OK)
			die("cannot open the cache");
		bzrtp_initCache_lock(*cache, NULL);
		bzrtp_setZIDCache_lock(ctx, *cache, opt.self, opt.other, NULL);
	}
	offer(ctx, ZRTP_KEYAGREEMENT_TYPE, opt.ka);
	offer(ctx, ZRTP_HASH_TYPE, opt.hash);
	offer(ctx, ZRTP_CIPHERBLOCK_TYPE, opt.cipher);
	offer(ctx, ZRTP_AUTHTAG_TYPE, opt.auth);
	offer(ctx, ZRTP_SAS_TYPE, opt.sas);
	if (opt.aux && bzrtp_setAuxiliarySharedSecret(ctx, (const uint8_t *)opt.aux, strlen(opt.aux)) != 0)
		die("auxiliary secret refused");
	if (bzrtp_initBzrtpContext(ctx, streams[0].ssrc) != 0)
		die("cannot initialise libbzrtp");
	if (opt.peer_hash && bzrtp_setPeerHelloHash(ctx, streams[0].ssrc, (uint8_t *)opt.peer_hash, strlen(opt.peer_hash)) != 0)
		die("peer Hello hash refused");
	return ctx;
}

/* Running. */

/* start begins a handshake; all but the first stream's need the first one's
 * keys. */
static void start(struct stream *s, bzrtpContext_t *ctx)
{
	s->ctx = ctx;
	if (s->number > 1 && bzrtp_addChannel(ctx, s->ssrc) != 0)
		die("cannot add a channel");
	bzrtp_setClientData(ctx, s->ssrc, s);
	if (bzrtp_startChannelEngine(ctx, s->ssrc) != 0)
		die("cannot start the engine");
}

/* pump hands one datagram to libbzrtp. A responder doesn't see HelloACK: the
 * engine commits only after one, but accepts a Commit in its place (RFC 6189
 * §4.1), so it waits for ours. */
static void pump(const struct stream *s)
{
	uint8_t b[4096];
	ssize_t n = recv(s->sock, b, sizeof b, MSG_DONTWAIT);
	if (n < SHORTEST || memcmp(b + 4, "ZRTP", 4))
		return;
	const char *type = (const char *)b + HEADER + 4;
	if (opt.responder && !memcmp(type, "HelloACK", 8))
		return;
	int e = bzrtp_processMessage(s->ctx, s->ssrc, b, (uint16_t)n);
	if (e)
		printf("RX stream=%d %.8s error=0x%x\n", s->number, type, e);
}

/* run returns when standard input is closed or time is up. */
static void run(bzrtpContext_t *ctx)
{
	struct pollfd in[MAX_STREAMS + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
	for (int i = 0; i < stream_count; i++)
		in[i + 1] = (struct pollfd){.fd = streams[i].sock, .events = POLLIN};
	int started = 1, verify = opt.verify;
	for (int64_t end = now_ms() + opt.timeout; now_ms() < end;) {
		char eof;
		poll(in, started + 1, 5);
		if (in[0].revents && read(STDIN_FILENO, &eof, 1) <= 0)
			return;
		for (struct stream *s = streams; s < streams + started; s++) {
			pump(s);
			bzrtp_iterate(ctx, s->ssrc, (uint64_t)now_ms());
		}
		if (streams[0].secure && verify) {
			bzrtp_SASVerified(ctx);
			verify = 0;
		}
		while (streams[0].secure && started < stream_count)
			start(&streams[started++], ctx);
	}
}

int main(int argc, char **argv)
{
	sqlite3 *cache = NULL;
	uint8_t hash[128] = {0};
	parse_options(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	do
		open_stream(loopback(opt.bind[stream_count]), loopback(opt.peer[stream_count]));
	while (opt.peer[stream_count]);
	bzrtpContext_t *ctx = new_context(&cache);
	bzrtp_getSelfHelloHash(ctx, streams[0].ssrc, hash, sizeof hash);
	printf("ZRTPHASH %s\n", hash);
	start(&streams[0], ctx);
	run(ctx);
	int secure = 0;
	for (int i = 0; i < stream_count; i++)
		secure += streams[i].secure;
	printf("DONE secure=%d\n", secure == stream_count);
	for (int i = stream_count; i-- > 0;)
		if (streams[i].ctx)
			bzrtp_destroyBzrtpContext(ctx, streams[i].ssrc);
	if (cache)
		sqlite3_close(cache);
	return secure == stream_count ? 0 : 1;
}

/* --evil-pv: public values that an honest peer never sends and that ours must
 * refuse (RFC 6189 §4.4.1.2 and §4.4.1.3). The keys made stay good locally. */

/* The 3072-bit MODP prime of RFC 3526 §4, less one. */
static const char prime3072_less_1[] =
	"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
	"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
	"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
	"83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
	"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
	"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
	"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
	"BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFE";

static void spoil(uint8_t *value, size_t n, int little_endian)
{
	if (!opt.evil)
		return;
	memset(value, 0, n);
	if (!strcmp(opt.evil, "one"))
		value[little_endian ? 0 : n - 1] = 1;
	if (strcmp(opt.evil, "pminus1"))
		return;
	if (little_endian) { /* 2^255-20: a point of small order on Curve25519 */
		memset(value, 0xff, n);
		value[0] = 0xec;
		value[n - 1] = 0x7f;
		return;
	}
	for (size_t i = 0; i < n && i < sizeof prime3072_less_1 / 2; i++)
		sscanf(prime3072_less_1 + 2 * i, "%2hhx", &value[i]);
}

typedef int (*random_bytes)(void *, uint8_t *, size_t);

void bctbx_ECDHCreateKeyPair(bctbx_ECDHContext_t *c, random_bytes rng, void *state)
{
	void (*real)(bctbx_ECDHContext_t *, random_bytes, void *) = dlsym(RTLD_NEXT, "bctbx_ECDHCreateKeyPair");
	real(c, rng, state);
	spoil(c->selfPublic, c->pointCoordinateLength, 1);
}

void bctbx_DHMCreatePublic(bctbx_DHMContext_t *c, random_bytes rng, void *state)
{
	void (*real)(bctbx_DHMContext_t *, random_bytes, void *) = dlsym(RTLD_NEXT, "bctbx_DHMCreatePublic");
	real(c, rng, state);
	spoil(c->self, c->primeLength, 0);
}
