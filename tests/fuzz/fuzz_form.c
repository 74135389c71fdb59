/* SPDX-License-Identifier: Apache-2.0
 * The body of a form from anybody, at a real server: fields and a file within their bounds, or a
 * refusal; nothing is left on disk. */
#include "fuzz.h"

#include "core/text.h"
#include "http/server.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <fedn/error.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_UPLOAD 4096

static fedn__http_server *server;
static char dir[] = "/tmp/fuzz-form-XXXXXX";

static void check_field(const char *name, const char *value, void *user_data)
{
    (void)user_data;
    FUZZ_CHECK(fedn__text_is_line(name, FEDN__LIMIT_NAME_BYTES));
    FUZZ_CHECK(fedn__text_is_utf8(value, strlen(value)));
}

static void handle(void *service, const fedn__http_request *request, fedn__http_response *response)
{
    const char *path = fedn__http_file_path(request);

    (void)service;
    fedn__http_form_each(request, check_field, NULL);
    if (path) {
        FUZZ_CHECK(strncmp(path, dir, strlen(dir)) == 0 && access(path, R_OK) == 0);
        FUZZ_CHECK(fedn__text_is_line(fedn__http_file_name(request), FEDN__LIMIT_NAME_BYTES));
    }
    fedn__http_reply_message(response, 200, "taken");
}

static const fedn__http_route routes[] = {{"POST", "/form", handle, 1}};

static int files_left(void)
{
    DIR *list = opendir(dir);
    int count = -2; /* "." and ".." */

    FUZZ_CHECK(list);
    while (readdir(list))
        count++;
    closedir(list);
    return count;
}

static void stop(void)
{
    fedn__http_server_free(server);
    FUZZ_CHECK(files_left() == 0);
    rmdir(dir);
}

static void start(void)
{
    fedn__log log = {.level = FEDN_LOG_ERROR};
    fedn__http_options options = {
        .listen = "127.0.0.1:0", .upload_dir = dir, .max_upload_bytes = MAX_UPLOAD, .log = &log};
    fedn_error err;

    FUZZ_CHECK(mkdtemp(dir));
    FUZZ_CHECK(fedn__http_server_new(&options, routes, 1, NULL, &server, &err) == FEDN_OK);
    atexit(stop);
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)fedn__http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* no socket is left waiting behind the thousands of others */
    struct linger reset = {.l_onoff = 1};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    FUZZ_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    FUZZ_CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    return fd;
}

static void send_all(int fd, const void *data, size_t bytes)
{
    const char *at = data;

    while (bytes > 0) {
        ssize_t sent = send(fd, at, bytes, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* it has refused already */
        at += sent;
        bytes -= (size_t)sent;
    }
}

/* The status that it answers with. */
static int status_of(int fd)
{
    char answer[4096];
    size_t len = 0;
    ssize_t got = 0;

    while (len < sizeof answer - 1 &&
           (got = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0)
        len += (size_t)got;
    answer[len] = 0;
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char head[256];

    if (!server)
        start();
    int fd = dial();
    int length = snprintf(head, sizeof head,
                          "POST /form HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: "
                          "multipart/form-data; boundary=b\r\nContent-Length: %zu\r\n\r\n",
                          bytes);
    send_all(fd, head, (size_t)length);
    send_all(fd, data, bytes);
    int status = status_of(fd);
    close(fd);
    FUZZ_CHECK(status == 200 || status == 400 || status == 413);
    return 0;
}

size_t fuzz_seed(uint32_t nth, uint8_t to[FUZZ_SEED_BYTES])
{
#define PART(more) "--b\r\nContent-Disposition: form-data; " more "\r\n\r\n"
    static const char *const texts[] = {
        PART("name=\"name\"") "seed\r\n" PART(
            "name=\"file\"; filename=\"a.npz\"") "PK\r\n--b--\r\n",
        PART("name=\"file\"; filename=\"../x\"") "1\r\n" PART("filename=\"y\"") "2\r\n--b--\r\n",
        PART("name=\"\xc3\"") "\xff\r\n--b--\r\n",
        PART("name=\"file\"; filename=\"\"") "\r\n--b--\r\n",
        ("--b\r\nContent-Type: multipart/mixed; "
         "boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n"),
    };

    if (nth >= sizeof texts / sizeof texts[0])
        return 0;
    memcpy(to, texts[nth], strlen(texts[nth]));
    return strlen(texts[nth]);
}
