/* SPDX-License-Identifier: Apache-2.0
 * One HTTP call over libcurl: options, redirects within the host, the meaning of curl's errors. */
#include "http/transfer.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include <fedn/version.h>
#include <string.h>
#include <strings.h>

enum { CONNECT_MS = 30000, WAIT_MS = 1000 };

#define BUFFER_BYTES (256L * 1024) /* models pass through it in fewer, larger pieces */

/* One URL taken apart; NULL members are absent. */
typedef struct place {
    CURLU *url;
    char *scheme;
    char *host;
    char *port;
} place;

static void place_done(place *at)
{
    curl_free(at->scheme);
    curl_free(at->host);
    curl_free(at->port);
    curl_url_cleanup(at->url);
}

static int32_t place_parse(const char *text, place *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->url = curl_url();
    return ret->url && curl_url_set(ret->url, CURLUPART_URL, text, 0) == CURLUE_OK &&
           curl_url_get(ret->url, CURLUPART_SCHEME, &ret->scheme, 0) == CURLUE_OK &&
           curl_url_get(ret->url, CURLUPART_HOST, &ret->host, 0) == CURLUE_OK &&
           curl_url_get(ret->url, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
}

static int32_t is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "[::1]") == 0;
}

/* The same host and port, or the same host and from http to https: what may be sent the headers of
 * the call, which can hold a token. */
static int32_t may_follow(const char *from, const char *to)
{
    place a;
    place b;
    int32_t good = place_parse(from, &a) & place_parse(to, &b);

    if (good)
        good = strcasecmp(a.host, b.host) == 0 &&
               (strcmp(a.scheme, b.scheme) == 0
                    ? strcmp(a.port, b.port) == 0
                    : strcmp(a.scheme, "http") == 0 && strcmp(b.scheme, "https") == 0);
    place_done(&a);
    place_done(&b);
    return good;
}

/* What an error may show of a URL: no user, password or query, which can be secret. */
static fedn_status fail(const char *method, const char *url, fedn_status code, int32_t detail,
                        const char *reason, fedn_error *err)
{
    place at;
    fedn_status rc = code;

    if (place_parse(url, &at))
        rc = fedn__error_detail(err, code, detail, "%s %s://%s:%s: %s", method, at.scheme, at.host,
                                at.port, reason);
    else
        rc = fedn__error_detail(err, code, detail, "%s: %s", method, reason);
    place_done(&at);
    return rc;
}

static fedn_status code_of(CURLcode code)
{
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return FEDN_ERR_NOMEM;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return FEDN_ERR_INVALID;
    case CURLE_OPERATION_TIMEDOUT:
        return FEDN_ERR_TIMEOUT;
    case CURLE_ABORTED_BY_CALLBACK:
        return FEDN_ERR_CANCELLED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return FEDN_ERR_AUTH;
    default:
        return FEDN_ERR_UNAVAILABLE;
    }
}

static fedn_status over_limit(const fedn__transfer *transfer)
{
    return fedn__error(transfer->err, FEDN_ERR_LIMIT, "the answer is over the limit of %llu bytes",
                       (unsigned long long)transfer->body.limit);
}

static size_t on_data(char *data, size_t size, size_t count, void *opaque)
{
    fedn__transfer *transfer = opaque;
    uint64_t bytes = size * count;
    long status = 0;
    fedn_status rc = FEDN_OK;

    curl_easy_getinfo(transfer->client->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->received += bytes;
    if (!transfer->take || status / 100 != 2) {
        rc = fedn__buffer_add(&transfer->body, data, bytes);
        if (rc == FEDN_ERR_LIMIT)
            rc = over_limit(transfer);
    } else if (transfer->received > transfer->body.limit && !transfer->endless) {
        rc = over_limit(transfer);
    } else {
        rc = transfer->take(transfer->sink, data, bytes, transfer->err);
    }
    transfer->failed = rc;
    return rc == FEDN_OK ? bytes : 0;
}

static int on_progress(void *opaque, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const fedn__transfer *transfer = opaque;

    if (transfer->progress && transfer->file_path)
        transfer->progress((uint64_t)up, (uint64_t)up_total, transfer->user_data);
    else if (transfer->progress)
        transfer->progress((uint64_t)down, (uint64_t)down_total, transfer->user_data);
    return transfer->client->cancelled;
}

/* NULL: out of memory. */
static curl_mime *make_form(const fedn__transfer *transfer)
{
    curl_mime *form = curl_mime_init(transfer->client->easy);
    int32_t good = form != NULL;

    for (const char *const *field = transfer->fields; good && field && *field; field += 2) {
        curl_mimepart *part = curl_mime_addpart(form);
        good = part && curl_mime_name(part, field[0]) == CURLE_OK &&
               curl_mime_data(part, field[1], CURL_ZERO_TERMINATED) == CURLE_OK;
    }
    if (good) {
        curl_mimepart *part = curl_mime_addpart(form);
        good = part && curl_mime_name(part, "file") == CURLE_OK &&
               curl_mime_filedata(part, transfer->file_path) == CURLE_OK;
    }
    if (!good) {
        curl_mime_free(form);
        form = NULL;
    }
    return form;
}

static fedn_status make_headers(const fedn__http_call *call, struct curl_slist **ret,
                                fedn_error *err)
{
    int32_t typed = 0;

    for (const char *const *header = call->headers; header && *header; header++) {
        if (!fedn__text_is_line(*header, FEDN__LIMIT_HTTP_HEAD) || !strchr(*header, ':'))
            return fedn__error(err, FEDN_ERR_INVALID,
                               "a header is not one line \"Name: value\" of at most %llu bytes",
                               (unsigned long long)FEDN__LIMIT_HTTP_HEAD);
        typed |= strncasecmp(*header, "Content-Type:", 13) == 0;
        struct curl_slist *more = curl_slist_append(*ret, *header);
        if (!more)
            return fedn__error_nomem(err);
        *ret = more;
    }
    if (call->body && !typed) {
        struct curl_slist *more = curl_slist_append(*ret, "Content-Type: application/json");
        if (!more)
            return fedn__error_nomem(err);
        *ret = more;
    }
    return FEDN_OK;
}

static CURLcode set_common(fedn__transfer *transfer, const char *url)
{
    const fedn__http_call *call = transfer->call;
    CURL *easy = transfer->client->easy;
    long connect_ms = call->timeout_ms > 0 && (transfer->endless || call->timeout_ms < CONNECT_MS)
                          ? (long)call->timeout_ms
                          : CONNECT_MS;
    place at;

    curl_easy_reset(easy);
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, transfer->endless ? 0L : (long)call->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "libfedn/" FEDN_VERSION_STRING);
    if (transfer->client->trusted && rc == CURLE_OK) {
        rc = curl_easy_setopt(easy, CURLOPT_CAINFO, transfer->client->trusted);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* which would be trusted besides */
    }
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    if (place_parse(url, &at) && is_loopback(at.host)) /* else the environment decides */
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    place_done(&at);
    return rc;
}

/* Method and body. */
static CURLcode set_request(const fedn__transfer *transfer, const char *method, curl_mime *form)
{
    const fedn__http_call *call = transfer->call;
    CURL *easy = transfer->client->easy;
    CURLcode rc = CURLE_OK;

    if (strcmp(method, "HEAD") == 0)
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (strcmp(method, "GET") == 0)
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (form)
        rc = curl_easy_setopt(easy, CURLOPT_MIMEPOST, form);
    else if (call->body || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body ? call->body : "");
        rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                              (curl_off_t)(call->body ? strlen(call->body) : 0));
    }
    return rc == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) : rc;
}

/* Like curl_easy_perform(), but another thread's cancel wakes it. */
static CURLcode perform(fedn__http_client *client)
{
    CURLcode rc = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;
    int left = 0;

    if (curl_multi_add_handle(client->multi, client->easy) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    while (running && !client->cancelled) {
        if (curl_multi_perform(client->multi, &running) != CURLM_OK ||
            (running && curl_multi_poll(client->multi, NULL, 0, WAIT_MS, NULL) != CURLM_OK)) {
            rc = CURLE_OUT_OF_MEMORY;
            break;
        }
    }
    const CURLMsg *message = running ? NULL : curl_multi_info_read(client->multi, &left);
    if (message)
        rc = message->data.result;
    curl_multi_remove_handle(client->multi, client->easy);
    return rc;
}

/* One request and its answer; no redirect. */
static fedn_status run_once(fedn__transfer *transfer, const char *method, const char *url,
                            fedn_error *err)
{
    char reason[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    curl_mime *form = NULL;
    CURL *easy = transfer->client->easy;
    long status = 0;

    CURLcode code = set_common(transfer, url);
    fedn_status rc = make_headers(transfer->call, &headers, err);
    if (rc != FEDN_OK)
        goto out;
    if (transfer->file_path) {
        form = make_form(transfer);
        if (!form) {
            rc = fedn__error_nomem(err);
            goto out;
        }
    }
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (code == CURLE_OK)
        code = set_request(transfer, method, form);
    if (code == CURLE_OK)
        code = perform(transfer->client);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->status = (int32_t)status;
    if (transfer->failed != FEDN_OK)
        rc = transfer->failed == FEDN_ERR_NOMEM ? fedn__error_nomem(err) : transfer->failed;
    else if (code != CURLE_OK)
        rc = fail(method, url, code_of(code), (int32_t)code,
                  *reason ? reason : curl_easy_strerror(code), err);
out:
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    curl_mime_free(form);
    return rc;
}

/* Where the answer sends us, if we go there; else NULL. Changes the method if it is to change. */
static char *next_place(const fedn__transfer *transfer, const char *url, const char **method)
{
    char *to = NULL;
    int32_t status = transfer->status;

    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
        return NULL;
    if (curl_easy_getinfo(transfer->client->easy, CURLINFO_REDIRECT_URL, &to) != CURLE_OK || !to ||
        !may_follow(url, to))
        return NULL;
    if (status == 303 || (status < 303 && strcmp(*method, "POST") == 0))
        *method = strcmp(*method, "HEAD") == 0 ? *method : "GET";
    return fedn__strdup(to);
}

fedn_status fedn__transfer_run(fedn__transfer *transfer, fedn_error *err)
{
    uint64_t limit = transfer->call->max_bytes;
    const char *method = transfer->call->method;
    char *moved = NULL;

    transfer->err = err;
    for (int hop = 0;; hop++) {
        const char *url = moved ? moved : transfer->call->url;
        fedn__buffer_done(&transfer->body);
        fedn__buffer_init(&transfer->body, limit ? limit : FEDN__LIMIT_HTTP_BODY);
        transfer->received = 0;
        fedn_status rc = run_once(transfer, method, url, err);
        char *next = rc == FEDN_OK && hop < FEDN__LIMIT_HTTP_REDIRECTS
                         ? next_place(transfer, url, &method)
                         : NULL;
        fedn__free(moved);
        if (!next)
            return rc;
        moved = next;
    }
}

void fedn__transfer_done(fedn__transfer *transfer)
{
    fedn__buffer_done(&transfer->body);
}
