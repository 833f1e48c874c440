/* resample KIND QUALITY FROM TO [FRAMES]: resamples 16-bit mono from standard
 * input to standard output in blocks of 20 ms, with speexdsp (qualities 0 to 10)
 * or soxr (recipes 1 to 6). With FRAMES it reads one block, does it as often, and
 * prints the nanoseconds that the least of ten rounds took for a frame. */
#include <soxr.h>
#include <speex/speex_resampler.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static SpeexResamplerState *speex;
static soxr_t sox;

static size_t convert(const int16_t *in, size_t n, int16_t *out, size_t room) {
	if (speex) {
		spx_uint32_t used = n, made = room;
		speex_resampler_process_int(speex, 0, in, &used, out, &made);
		return made;
	}
	size_t used, made;
	soxr_process(sox, n ? in : NULL, n, &used, out, room, &made);
	return made;
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
	if (argc < 5) return 2;
	int quality = atoi(argv[2]), from = atoi(argv[3]), to = atoi(argv[4]), err = 0;
	if (!strcmp(argv[1], "speexdsp")) {
		speex = speex_resampler_init(1, from, to, quality, &err);
	} else {
		soxr_io_spec_t io = soxr_io_spec(SOXR_INT16_I, SOXR_INT16_I);
		io.flags = SOXR_NO_DITHER;
		soxr_quality_spec_t q = soxr_quality_spec(quality, 0);
		soxr_error_t e = NULL;
		sox = soxr_create(from, to, 1, &e, &io, &q, NULL);
		err = e != NULL;
	}
	if (err) return 1;
	int16_t in[4000], out[16000];
	size_t block = from / 50;
	if (argc > 5) {
		int frames = atoi(argv[5]);
		double least = 1e18;
		if (fread(in, 2, block, stdin) != block) return 1;
		for (int round = 0; round < 10; round++) {
			double begin = now();
			for (int i = 0; i < frames; i++) convert(in, block, out, 16000);
			double took = (now() - begin) / frames;
			if (took < least) least = took;
		}
		printf("%.0f\n", least);
		return 0;
	}
	size_t n;
	while ((n = fread(in, 2, block, stdin)) > 0) fwrite(out, 2, convert(in, n, out, 16000), stdout);
	if (sox) fwrite(out, 2, convert(NULL, 0, out, 16000), stdout);
	return 0;
}
