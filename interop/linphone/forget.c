/*
 * forget FILE: takes every retained secret out of Linphone's ZRTP cache and
 * leaves it the ZIDs, its own and those of its peers.
 *
 * Build: gcc -o forget forget.c -lsqlite3
 */
#include <sqlite3.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	sqlite3 *cache = NULL;
	char *error = NULL;
	if (argc != 2)
		return 2;
	if (sqlite3_open_v2(argv[1], &cache, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(cache, 5000) != SQLITE_OK ||
	    sqlite3_exec(cache, "DELETE FROM zrtp", NULL, NULL, &error) != SQLITE_OK) {
		fprintf(stderr, "forget: %s: %s\n", argv[1], error ? error : sqlite3_errmsg(cache));
		return 1;
	}
	if (sqlite3_changes(cache) == 0) {
		fprintf(stderr, "forget: %s: there is no secret\n", argv[1]);
		return 1;
	}
	return sqlite3_close(cache) != SQLITE_OK;
}
