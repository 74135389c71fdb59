/* SPDX-License-Identifier: Apache-2.0
 * HTTP/1.1 by hand, so that what is sent is what the case says. */
#include "wire.h"

#include "test.h"
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_MOST = 4 * 1024 * 1024, WAIT_S = 30 };

static int dial(int32_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval wait = {.tv_sec = WAIT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void put(int fd, const void *data, size_t bytes)
{
    const char *at = data;

    while (bytes > 0) {
        ssize_t sent = send(fd, at, bytes, MSG_NOSIGNAL);
        assert_true(sent > 0);
        at += sent;
        bytes -= (size_t)sent;
    }
}

static void __attribute__((format(printf, 2, 3))) put_line(int fd, const char *format, ...)
{
    char line[4096];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert_true(length >= 0 && length < (int)sizeof line);
    put(fd, line, (size_t)length);
}

/* All that comes until the end; of an endless answer the head and one line. */
static char *take(int fd, int endless, size_t *ret_bytes)
{
    char *data = malloc(ANSWER_MOST + 1);
    size_t bytes = 0;
    ssize_t got = 0;

    while (bytes < ANSWER_MOST && (got = recv(fd, data + bytes, ANSWER_MOST - bytes, 0)) > 0) {
        bytes += (size_t)got;
        data[bytes] = 0;
        const char *body = strstr(data, "\r\n\r\n");
        if (endless && body && strstr(body, "}\n"))
            break;
    }
    assert_true(bytes > 0 && bytes < ANSWER_MOST);
    data[bytes] = 0;
    *ret_bytes = bytes;
    return data;
}

/* The pieces of a chunked body, in place; of a piece that is not whole what is there. */
static size_t join_chunks(char *body, size_t bytes)
{
    char *from = body;
    char *to = body;
    const char *end = body + bytes;

    while (from < end) {
        char *data = NULL;
        unsigned long size = strtoul(from, &data, 16);
        data = strstr(data, "\r\n");
        if (size == 0 || !data)
            break;
        data += 2;
        if (size > (size_t)(end - data))
            size = (size_t)(end - data);
        memmove(to, data, size);
        to += size;
        from = data + size + 2;
    }
    *to = 0;
    return (size_t)(to - body);
}

answer wire_send(int32_t port, const char *method, const char *target, const json_t *headers,
                 const char *type, const void *body, size_t bytes, int endless)
{
    answer got = {0};
    const char *name = NULL;
    json_t *value = NULL;
    char word[64];
    int fd = dial(port);

    put_line(fd, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n", method, target,
             (int)port);
    json_object_foreach((json_t *)(uintptr_t)headers, name, value)
    {
        const char *text = json_string_value(value);
        put_line(fd, "%s: %s\r\n", name, text ? text : "");
    }
    if (type)
        put_line(fd, "Content-Type: %s\r\n", type);
    if (body || strcmp(method, "GET") != 0)
        put_line(fd, "Content-Length: %zu\r\n", bytes);
    put_line(fd, "\r\n");
    put(fd, body, bytes);
    got.head = take(fd, endless, &bytes);
    close(fd);
    got.body = strstr(got.head, "\r\n\r\n");
    assert_non_null(got.body);
    *got.body = 0;
    got.body += 4;
    got.bytes = bytes - (size_t)(got.body - got.head);
    assert_int_equal(sscanf(got.head, "HTTP/1.1 %d", &got.status), 1);
    if (wire_header(&got, "Transfer-Encoding", word, sizeof word) && strcmp(word, "chunked") == 0)
        got.bytes = join_chunks(got.body, got.bytes);
    if (endless && strchr(got.body, '\n')) {
        got.bytes = (size_t)(strchr(got.body, '\n') - got.body) + 1;
        got.body[got.bytes] = 0;
    }
    return got;
}

void wire_done(answer *got)
{
    free(got->head);
}

int wire_header(const answer *got, const char *name, char *to, size_t room)
{
    size_t bytes = strlen(name);

    for (const char *line = strstr(got->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, bytes) != 0 || line[bytes] != ':')
            continue;
        line += bytes + 1 + strspn(line + bytes + 1, " ");
        snprintf(to, room, "%.*s", (int)strcspn(line, "\r"), line);
        return 1;
    }
    return 0;
}
