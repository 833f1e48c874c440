/*
 * libsrtp_peer: Debian's libsrtp behind a pipe, for Go programs to compare
 * bytes with and to measure. libsrtp.go builds and drives it; nothing links
 * libsrtp into Sotto.
 *
 * Build (packages gcc libsrtp2-dev): gcc -O2 -Wall -Wextra -o libsrtp_peer libsrtp_peer.c -lsrtp2
 *
 * Requests come on standard input, answers go to standard output; numbers are
 * little endian. An answer may stay in a buffer until F.
 *   N session:u16 direction:u8 profile:u8 window:u16 length:u8 key, salt   -> status:u8
 *   P R p r session:u16 length:u16 packet                                  -> status:u8 length:u16 packet
 *     protect and unprotect an RTP packet (P R) or an RTCP packet (p r)
 *   M profile:u8 unprotect:u8 size:u16 contexts:u16 warm:u32 timed:u32     -> status:u8 nanoseconds:u64
 *   V                                                                      -> length:u8 text, libsrtp's version
 *   F                                                                      -> (all answers so far)
 * Profiles count as in the table below. Status is libsrtp's own number. The
 * process ends with its input.
 */
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SESSIONS = 4096, EIGHTHS = 8, CHUNK = 256, STRIDE = 512, LONGEST = 65535, HEADER = 12, SSRC = 0x4f000000 };

typedef void set_policy(srtp_crypto_policy_t *);

static void cm_128_80(srtp_crypto_policy_t *p) { srtp_crypto_policy_set_rtp_default(p); }

/* RFC 3711 §5.2: the tag of an SRTCP packet is never shortened. */
static const struct profile {
	set_policy *rtp, *rtcp;
	int key;
} profiles[] = {
	{cm_128_80, cm_128_80, 30},
	{srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32, cm_128_80, 30},
	{srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80, srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80, 38},
	{srtp_crypto_policy_set_aes_cm_192_hmac_sha1_32, srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80, 38},
	{srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, 46},
	{srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, 46},
	{srtp_crypto_policy_set_aes_gcm_128_16_auth, srtp_crypto_policy_set_aes_gcm_128_16_auth, 28},
	{srtp_crypto_policy_set_aes_gcm_256_16_auth, srtp_crypto_policy_set_aes_gcm_256_16_auth, 44},
};
enum { PROFILES = sizeof profiles / sizeof *profiles };

static srtp_t sessions[SESSIONS];

struct load {
	unsigned unprotect, size, contexts, warm, timed;
};

/* What is measured: pairs of one profile, made when first asked for. */
static struct pair {
	srtp_t sealer, opener;
	uint16_t next; /* sequence number */
} pairs[SESSIONS];
static int pair_count, pair_profile = -1;

static void die(const char *what)
{
	fprintf(stderr, "libsrtp_peer: %s\n", what);
	exit(2);
}

static void take(void *to, size_t n)
{
	if (n && fread(to, n, 1, stdin) != 1)
		die("a request breaks off");
}

static unsigned number(int bytes)
{
	unsigned n = 0;
	for (int i = 0; i < bytes; i++)
		n |= (unsigned)getchar() << 8 * i;
	if (feof(stdin))
		die("a request breaks off");
	return n;
}

static void answer(uint64_t n, int bytes)
{
	for (; bytes--; n >>= 8)
		putchar(n & 0xff);
}

static srtp_err_status_t create(srtp_t *session, srtp_ssrc_t ssrc, int profile, unsigned window, unsigned char *key)
{
	srtp_policy_t policy = {.ssrc = ssrc, .key = key, .window_size = window};
	profiles[profile].rtp(&policy.rtp);
	profiles[profile].rtcp(&policy.rtcp);
	return srtp_create(session, &policy);
}

static srtp_err_status_t new_session(void)
{
	unsigned id = number(2), inbound = number(1), profile = number(1), window = number(2), length = number(1);
	unsigned char key[256];
	take(key, length);
	if (id >= SESSIONS || profile >= PROFILES || (int)length != profiles[profile].key)
		return srtp_err_status_bad_param;
	if (sessions[id])
		srtp_dealloc(sessions[id]);
	srtp_ssrc_t ssrc = {.type = inbound ? ssrc_any_inbound : ssrc_any_outbound};
	return create(&sessions[id], ssrc, profile, window, key);
}

static void packet(int request)
{
	static unsigned char buf[LONGEST + SRTP_MAX_TRAILER_LEN + 4];
	unsigned id = number(2);
	int length = number(2);
	take(buf, length);
	if (id >= SESSIONS || !sessions[id])
		die("no such session");
	srtp_err_status_t status;
	switch (request) {
	case 'P': status = srtp_protect(sessions[id], buf, &length); break;
	case 'R': status = srtp_unprotect(sessions[id], buf, &length); break;
	case 'p': status = srtp_protect_rtcp(sessions[id], buf, &length); break;
	default: status = srtp_unprotect_rtcp(sessions[id], buf, &length); break;
	}
	if (status != srtp_err_status_ok)
		length = 0;
	answer(status, 1);
	answer(length, 2);
	fwrite(buf, 1, length, stdout);
}

/* prepare sees that there are count pairs of this profile. */
static srtp_err_status_t prepare(int profile, int count)
{
	srtp_err_status_t status = srtp_err_status_ok;
	if (pair_profile != profile)
		for (; pair_count; pair_count--) {
			srtp_dealloc(pairs[pair_count - 1].sealer);
			srtp_dealloc(pairs[pair_count - 1].opener);
		}
	pair_profile = profile;
	for (; pair_count < count && !status; pair_count++) {
		unsigned char key[64];
		for (int i = 0; i < 64; i++)
			key[i] = 7 * i + pair_count + (pair_count >> 8);
		struct pair *p = &pairs[pair_count];
		srtp_ssrc_t ssrc = {ssrc_specific, SSRC + pair_count};
		p->next = 0;
		status = create(&p->sealer, ssrc, profile, 128, key);
		if (!status)
			status = create(&p->opener, ssrc, profile, 128, key);
	}
	return status;
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* fill writes the context's next RTP packet into buf. */
static int fill(unsigned char *buf, int context, int size)
{
	uint16_t seq = pairs[context].next++;
	unsigned char header[HEADER] = {0x80, 96, seq >> 8, seq, 0, 0, 0, 0, SSRC >> 24, 0, context >> 8, context};
	memcpy(buf, header, HEADER);
	memset(buf + HEADER, seq, size);
	return HEADER + size;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* fill_store makes the packets of a load, and says how long each is. */
static srtp_err_status_t fill_store(unsigned char *store, const struct load *l, int *length)
{
	srtp_err_status_t status = srtp_err_status_ok;
	for (unsigned i = 0; i < l->warm + l->timed && !status; i++, store += STRIDE) {
		*length = fill(store, i % l->contexts, l->size);
		if (l->unprotect)
			status = srtp_protect(pairs[i % l->contexts].sealer, store, length);
	}
	return status;
}

/* run protects or unprotects the warm packets and then the timed ones, the
 * contexts in turn, an eighth at a time. What it spent is eight times the
 * median. The clock stands still while packets are copied. */
static srtp_err_status_t run(const struct load *l, const unsigned char *store, int n, uint64_t *spent)
{
	static unsigned char work[CHUNK][STRIDE];
	static int length[CHUNK];
	uint64_t all[EIGHTHS];
	unsigned part = l->timed / EIGHTHS;
	int bad = 0;
	for (unsigned at = 0, eighth = 0; at < l->warm + l->timed;) {
		unsigned end = at < l->warm ? l->warm : l->warm + l->timed;
		int chunk = end - at < part ? end - at : part;
		memcpy(work, store + (size_t)at * STRIDE, (size_t)chunk * STRIDE);
		for (int i = 0; i < chunk; i++)
			length[i] = n;
		uint64_t start = now();
		for (int i = 0, context = at % l->contexts; i < chunk; i++) {
			if (l->unprotect)
				bad |= srtp_unprotect(pairs[context].opener, work[i], &length[i]);
			else
				bad |= srtp_protect(pairs[context].sealer, work[i], &length[i]);
			if (++context == (int)l->contexts)
				context = 0;
		}
		if (at >= l->warm)
			all[eighth++] = now() - start;
		at += chunk;
	}
	qsort(all, EIGHTHS, sizeof *all, compare);
	*spent = EIGHTHS / 2 * (all[EIGHTHS / 2 - 1] + all[EIGHTHS / 2]);
	return bad;
}

static void measure(void)
{
	unsigned profile = number(1);
	struct load l;
	l.unprotect = number(1);
	l.size = number(2);
	l.contexts = number(2);
	l.warm = number(4);
	l.timed = number(4);
	uint64_t spent = 0;
	int length;
	srtp_err_status_t status = srtp_err_status_bad_param;
	if (profile < PROFILES && l.contexts && l.contexts <= SESSIONS && l.timed % EIGHTHS == 0 &&
		l.timed / EIGHTHS <= CHUNK && HEADER + l.size + SRTP_MAX_TRAILER_LEN <= STRIDE)
		status = prepare(profile, l.contexts);
	unsigned char *store = malloc((size_t)(l.warm + l.timed) * STRIDE);
	if (!store)
		die("no memory");
	if (!status)
		status = fill_store(store, &l, &length);
	if (!status)
		status = run(&l, store, length, &spent);
	free(store);
	answer(status, 1);
	answer(spent, 8);
}

static void version(void)
{
	const char *text = srtp_get_version_string();
	answer(strlen(text), 1);
	fputs(text, stdout);
}

int main(void)
{
	if (srtp_init() != srtp_err_status_ok)
		die("libsrtp doesn't start");
	for (int request; (request = getchar()) != EOF;)
		switch (request) {
		case 'N': answer(new_session(), 1); break;
		case 'P': case 'R': case 'p': case 'r': packet(request); break;
		case 'M': measure(); break;
		case 'V': version(); break;
		case 'F': fflush(stdout); break;
		default: die("no such request");
		}
	return 0;
}
