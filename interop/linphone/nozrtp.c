/*
 * nozrtp.so, loaded into linphonec with LD_PRELOAD, makes it a Linphone that
 * was built without ZRTP. Its setting media_encryption=none isn't enough:
 * Linphone 5.1 still agrees to ZRTP when the other side announces it.
 *
 * Build: gcc -shared -fPIC -o nozrtp.so nozrtp.c
 */
int ms_zrtp_available(void) { return 0; }
