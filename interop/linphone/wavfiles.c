/*
 * wavfiles.so, loaded into linphone-daemon with LD_PRELOAD, has it say what is
 * in the WAV file $SAY and record what it hears in $HEARD. linphonec has
 * commands for that, linphone-daemon has none.
 *
 * Build: gcc -shared -fPIC -o wavfiles.so wavfiles.c
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

/* As liblinphone 5.1 has them in linphone/core.h. */
void linphone_core_set_use_files(void *core, unsigned char yes);
void linphone_core_set_play_file(void *core, const char *path);
void linphone_core_set_record_file(void *core, const char *path);

void *linphone_core_new(const void *callbacks, const char *config, const char *factory, void *data)
{
	void *(*make)(const void *, const char *, const char *, void *) = dlsym(RTLD_NEXT, "linphone_core_new");
	void *core = make ? make(callbacks, config, factory, data) : NULL;
	if (!core)
		return NULL;
	linphone_core_set_use_files(core, 1);
	linphone_core_set_play_file(core, getenv("SAY"));
	linphone_core_set_record_file(core, getenv("HEARD"));
	return core;
}
