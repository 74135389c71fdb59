/* SPDX-License-Identifier: Apache-2.0
 * Certificates for tests of TLS, made by the openssl tool. */
#ifndef FEDN__CERTIFICATE_H
#define FEDN__CERTIFICATE_H

/* Makes <dir>/<name>.pem and <dir>/<name>.key: good for this address, its own authority. Before any
 * thread. 0: there is no openssl tool. */
int certificate_make(const char *dir, const char *name, const char *ip);
/* The text of <dir>/<name>.<kind>; free() it. */
char *certificate_read(const char *dir, const char *name, const char *kind);

#endif
