/* Replays an arrival trace into the adaptive jitter buffer of speexdsp, which
 * asks for no clock: it is told of each tick. Standard input is one line a
 * packet in the order of arrival, its time in ns and its number; packets are
 * of 20 ms. Standard output is one line a tick of 20 ms: P or M and a packet's
 * number for one played or missing, I for a frame inserted. The argument is how
 * many ticks there are. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <speex/speex_jitter.h>

#define FRAME 960

int main(int argc, char **argv) {
	long ticks = argc > 1 ? atol(argv[1]) : 0;
	JitterBuffer *jitter = jitter_buffer_init(FRAME);
	long long at;
	long number;
	int more = scanf("%lld %ld", &at, &number) == 2;
	for (long tick = 0; tick < ticks; tick++) {
		for (; more && at <= tick * 20000000LL; more = scanf("%lld %ld", &at, &number) == 2) {
			char byte = 0;
			JitterBufferPacket in = {.data = &byte, .len = 1, .timestamp = number * FRAME, .span = FRAME, .sequence = number};
			jitter_buffer_put(jitter, &in);
		}
		char data[16];
		JitterBufferPacket out = {.data = data, .len = sizeof data};
		spx_int32_t offset = 0;
		switch (jitter_buffer_get(jitter, &out, FRAME, &offset)) {
		case JITTER_BUFFER_OK:
			printf("P %ld\n", (long)(out.timestamp / FRAME));
			break;
		case JITTER_BUFFER_INSERTION:
			printf("I 0\n");
			break;
		default:
			printf("M %ld\n", (long)(out.timestamp / FRAME));
		}
		jitter_buffer_tick(jitter);
	}
	jitter_buffer_destroy(jitter);
	return 0;
}
