/* SPDX-License-Identifier: Apache-2.0
 * A real HTTP server with answers that the test sets, in the place of a reducer. */
#ifndef FEDN__CONTROL_SITE_H
#define FEDN__CONTROL_SITE_H

#include "test.h"

#include "core/thread.h"
#include "http/server.h"
#include <fedn/control.h>

/* What the server answers, and what it was asked last. */
typedef struct site {
    fedn__http_server *server;
    char *dir;
    char url[64];
    int32_t status;
    const char *type;
    const char *answer;
    char asked[1024];
    fedn__flag waiting; /* somebody reads the endless answer */
    int32_t endless;
} site;

int site_setup(void **state);
int site_teardown(void **state);
fedn_control *site_control(const char *url, const char *token);

#endif
