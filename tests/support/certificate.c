/* SPDX-License-Identifier: Apache-2.0
 * Certificates for tests; see certificate.h. */
#include "certificate.h"

#include "test.h"
#include <stdlib.h>

int certificate_make(const char *dir, const char *name, const char *ip)
{
    char command[1024];

    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=%s -addext subjectAltName=IP:%s -keyout %s/%s.key -out %s/%s.pem "
             "2>/dev/null",
             name, ip, dir, name, dir, name);
    return system(command) == 0; /* NOLINT(cert-env33-c): before any thread */
}

char *certificate_read(const char *dir, const char *name, const char *kind)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s.%s", dir, name, kind);
    return test_read_file(path, NULL);
}
