/* SPDX-License-Identifier: Apache-2.0
 * A server with routes of every sort, and ways to ask it: with our client and with raw bytes. */
#ifndef FEDN__TEST_SITE_H
#define FEDN__TEST_SITE_H

#include "core/blob.h"
#include "core/limits.h"
#include "core/thread.h"
#include "http/client.h"
#include "http/server.h"
#include "test.h"

#define SITE_UPLOAD_BYTES (8 * FEDN__MIB)
#define SITE_BLOB         "0123456789abcdefghijklmnopqrstuvwxyz"

typedef struct site {
    int64_t outstanding;
    char *scratch;
    char *upload_dir;
    char *moved_path; /* where POST /upload/keep moves the file */
    fedn__http_server *server;
    fedn__http_client *client;
    fedn__blob *blob;
    fedn__flag entered; /* GET /wait was entered */
    fedn__flag release; /* lets it answer */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int32_t lines;   /* that GET /stream may still write */
    int32_t streams; /* open */
    int32_t started; /* streams ever */
} site;

int site_setup(void **state);    /* a listening server and a client */
int site_teardown(void **state); /* checks that all memory and all upload files are gone */
void site_stop(site *site);      /* frees the server */
void site_lines(site *site, int32_t count); /* GET /stream may write as many more */
void site_wait_streams(site *site, int32_t started, int32_t open); /* until it is so */

/* "http://127.0.0.1:port<path>" in a buffer of its own per call site's thread. */
#define SITE_URL 512
const char *site_url(const site *site, const char *path, char url[SITE_URL]);
/* One call with the site's client; the status. The body: fedn__free(). */
int32_t site_call(site *site, const char *method, const char *path, const char *body,
                  const char *const *headers, char **ret_body);
void site_expect(site *site, const char *method, const char *path, const char *body, int32_t status,
                 const char *expected_body);

int site_connect(const site *site);
void site_send(int fd, const void *data, uint64_t bytes);
/* Everything until the server closes; free() it. */
char *site_receive(int fd);
/* Sends text on a new connection and gives back all that comes until the server closes. */
char *site_raw(const site *site, const char *text);

#endif
