/* SPDX-License-Identifier: Apache-2.0
 * An HTTP listener over libmicrohttpd: its start and its end. */
#include "http/server.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/text.h"
#include "core/thread.h"
#include "http/exchange.h"
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_BYTES FEDN__MIB /* of a connection's thread */

enum { IDLE_MS = 30000, FAREWELL_MS = 3000 };

static fedn_status listen_on(const struct addrinfo *address, const char *name, int *ret_fd,
                             fedn_error *err)
{
    int one = 1;
    int zero = 0;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return fedn__error_errno(err, errno, "cannot listen on %s", name);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        int number = errno;
        close(fd);
        return fedn__error_detail(err, FEDN_ERR_IO, number, "cannot listen on %s: %s", name,
                                  strerror(number));
    }
    *ret_fd = fd;
    return FEDN_OK;
}

/* Tries what the name resolves to in order; the error is the last one's. */
static fedn_status open_socket(const char *name, int *ret_fd, int *ret_family, fedn_error *err)
{
    char host[FEDN__LIMIT_NAME_BYTES + 1];
    char service[8];
    uint16_t port = 0;
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;

    fedn_status rc = fedn__text_host_port(name, host, sizeof host, &port, err);
    if (rc != FEDN_OK)
        return rc;
    snprintf(service, sizeof service, "%u", (unsigned)port);
    int failed = getaddrinfo(*host ? host : NULL, service, &wanted, &found);
    if (failed != 0)
        return fedn__error_detail(err, FEDN_ERR_IO, failed, "cannot listen on %s: %s", name,
                                  gai_strerror(failed));
    rc = FEDN_ERR_IO;
    for (const struct addrinfo *next = found; next && rc != FEDN_OK; next = next->ai_next) {
        rc = listen_on(next, name, ret_fd, err);
        *ret_family = next->ai_family;
    }
    freeaddrinfo(found);
    return rc;
}

static int32_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;

    memset(&address, 0, sizeof address);
    getsockname(fd, (struct sockaddr *)&address, &len);
    return address.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)&address)->sin6_port)
                                         : ntohs(((const struct sockaddr_in *)&address)->sin_port);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *server, const char *format,
                                                         va_list args)
{
    const fedn__http_server *self = server;
    char line[512];

    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = 0;
    fedn__log_write(&self->log, FEDN_LOG_DEBUG, "http", "%s", line);
}

/* The path is taken apart from what was sent, so nothing may be decoded before. */
static size_t leave_encoded(void *server, struct MHD_Connection *connection, char *text)
{
    (void)server;
    (void)connection;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(fedn__http_server *server, int fd, int family,
                                       uint32_t max_connections)
{
    unsigned int flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                         MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                         (family == AF_INET6 ? MHD_USE_IPv6 : 0);
    sigset_t all;
    sigset_t before;

    /* its threads inherit the mask: signals belong to the application */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, fedn__exchange_step, server, MHD_OPTION_EXTERNAL_LOGGER, on_log,
        server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, server->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)FEDN__LIMIT_HTTP_HEAD, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
        MHD_OPTION_URI_LOG_CALLBACK, fedn__exchange_open, server, MHD_OPTION_UNESCAPE_CALLBACK,
        leave_encoded, server, MHD_OPTION_NOTIFY_COMPLETED, fedn__exchange_close, server,
        MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

static fedn_status copy_options(fedn__http_server *server, const fedn__http_options *options,
                                fedn_error *err)
{
    static const char text[] = "{\"message\":\"out of memory\"}\n";
    static const fedn__log to_stderr = {.level = FEDN_LOG_WARNING};
    int64_t idle_ms = options->idle_ms > 0 ? options->idle_ms : IDLE_MS;

    server->log = options->log ? *options->log : to_stderr;
    server->idle_s = (unsigned int)((idle_ms + 999) / 1000);
    server->max_upload_bytes = options->max_upload_bytes;
    server->prefix = fedn__strdup(options->prefix);
    server->upload_dir = fedn__strdup(options->upload_dir);
    if ((options->prefix && !server->prefix) || (options->upload_dir && !server->upload_dir))
        return fedn__error_nomem(err);
    server->out_of_memory = MHD_create_response_from_buffer(
        sizeof text - 1, (char *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (!server->out_of_memory || MHD_add_response_header(server->out_of_memory, "Content-Type",
                                                          "application/json") != MHD_YES)
        return fedn__error_nomem(err);
    return FEDN_OK;
}

static fedn_status start(fedn__http_server *server, const fedn__http_options *options,
                         fedn_error *err)
{
    int fd = -1;
    int family = AF_UNSPEC;

    fedn_status rc = open_socket(options->listen, &fd, &family, err);
    if (rc != FEDN_OK)
        return rc;
    if (server->upload_dir) {
        rc = fedn__fs_mkdirs(server->upload_dir, err);
        fedn__upload_clean(server->upload_dir);
    }
    server->port = port_of(fd);
    if (rc == FEDN_OK) {
        server->daemon = start_daemon(server, fd, family,
                                      options->max_connections ? options->max_connections
                                                               : FEDN__LIMIT_HTTP_CONNECTIONS);
        if (!server->daemon)
            rc = fedn__error_errno(err, errno, "cannot start the listener on %s", options->listen);
    }
    if (rc != FEDN_OK)
        close(fd);
    return rc;
}

fedn_status fedn__http_server_new(const fedn__http_options *options, const fedn__http_route *routes,
                                  uint32_t count, void *service, fedn__http_server **ret,
                                  fedn_error *err)
{
    *ret = NULL;
    fedn__http_server *server = fedn__alloc_zero(sizeof *server);
    if (!server)
        return fedn__error_nomem(err);
    server->routes = routes;
    server->route_count = count;
    server->service = service;
    pthread_mutex_init(&server->mutex, NULL);
    fedn__cond_init(&server->answered);
    fedn_status rc = copy_options(server, options, err);
    if (rc == FEDN_OK)
        rc = start(server, options, err);
    if (rc != FEDN_OK) {
        fedn__http_server_free(server);
        return rc;
    }
    *ret = server;
    return FEDN_OK;
}

int32_t fedn__http_server_port(const fedn__http_server *server)
{
    return server->port;
}

/* Answers that are on their way may reach their clients; then connections are cut. */
static void stop_daemon(fedn__http_server *server)
{
    int64_t deadline = fedn__clock_ns() + (int64_t)FAREWELL_MS * 1000000;
    MHD_socket fd = MHD_quiesce_daemon(server->daemon);

    server->stopping = 1;
    pthread_mutex_lock(&server->mutex);
    while (server->answering && fedn__cond_wait(&server->answered, &server->mutex, deadline))
        ;
    pthread_mutex_unlock(&server->mutex);
    MHD_stop_daemon(server->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}

void fedn__http_server_free(fedn__http_server *server)
{
    if (!server)
        return;
    if (server->daemon)
        stop_daemon(server);
    if (server->out_of_memory)
        MHD_destroy_response(server->out_of_memory);
    pthread_cond_destroy(&server->answered);
    pthread_mutex_destroy(&server->mutex);
    fedn__free(server->prefix);
    fedn__free(server->upload_dir);
    fedn__free(server);
}
