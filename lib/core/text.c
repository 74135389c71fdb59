/* SPDX-License-Identifier: Apache-2.0
 * Checking and converting text that came from outside. */
#include "core/text.h"

#include "core/error.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Length of the UTF-8 sequence at p (RFC 3629: shortest form, no surrogates, up to U+10FFFF); 0:
 * none */
static uint32_t utf8_sequence(const uint8_t *p, uint64_t left)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t n = 0;
    uint32_t code = 0;

    if (p[0] < 0x80)
        return p[0] ? 1 : 0;
    if ((p[0] & 0xe0) == 0xc0) {
        n = 2;
        code = p[0] & 0x1f;
    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        code = p[0] & 0x0f;
    } else if ((p[0] & 0xf8) == 0xf0) {
        n = 4;
        code = p[0] & 0x07;
    }
    if (n == 0 || n > left)
        return 0;
    for (uint32_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    return n;
}

int32_t fedn__text_is_utf8(const void *text, uint64_t bytes)
{
    const uint8_t *p = text;

    for (uint64_t i = 0; i < bytes;) {
        uint32_t n = utf8_sequence(p + i, bytes - i);
        if (n == 0)
            return 0;
        i += n;
    }
    return 1;
}

int32_t fedn__text_is_line(const char *text, uint64_t limit)
{
    if (!text)
        return 0;
    uint64_t bytes = strlen(text);
    if (bytes == 0 || bytes > limit || !fedn__text_is_utf8(text, bytes))
        return 0;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return 0;
    return 1;
}

void fedn__text_to_line(char *text)
{
    uint64_t bytes = strlen(text);

    for (uint64_t i = 0; i < bytes;) {
        uint8_t *p = (uint8_t *)text + i;
        uint32_t n = utf8_sequence(p, bytes - i);
        if (n == 0 && bytes - i < 4 && *p >= 0xc2 && *p <= 0xf4) {
            uint64_t rest = 1;
            while (rest < bytes - i && (p[rest] & 0xc0) == 0x80)
                rest++;
            if (rest == bytes - i) {
                *p = 0;
                return;
            }
        }
        if (n == 0)
            *p = '?';
        else if (*p < 0x20 || *p == 0x7f)
            *p = ' ';
        i += n ? n : 1;
    }
}

int32_t fedn__text_is_name(const char *text, uint64_t limit)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

    if (!text)
        return 0;
    uint64_t bytes = strlen(text);
    return bytes > 0 && bytes <= limit && strspn(text, allowed) == bytes;
}

int32_t fedn__text_to_i64(const char *text, int64_t *ret)
{
    char *end = NULL;

    if (!text || !((*text >= '0' && *text <= '9') || ((*text == '-' || *text == '+') && text[1])))
        return 0;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != 0 || end == text)
        return 0;
    *ret = value;
    return 1;
}

int32_t fedn__text_to_u64(const char *text, uint64_t *ret)
{
    char *end = NULL;

    if (!text || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != 0)
        return 0;
    *ret = value;
    return 1;
}

int32_t fedn__text_to_f64(const char *text, double *ret)
{
    char *end = NULL;
    locale_t plain = (locale_t)0;

    if (!text || !*text || strspn(text, "+-.0123456789eE") != strlen(text))
        return 0;
    plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return 0;
    locale_t before = uselocale(plain);
    double value = strtod(text, &end);
    uselocale(before);
    freelocale(plain);
    if (end == text || *end != 0 || !isfinite(value))
        return 0;
    *ret = value;
    return 1;
}

int32_t fedn__text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

int32_t fedn__text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static uint32_t least_of(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

uint32_t fedn__text_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    uint32_t row[MOST + 1];
    uint32_t na = (uint32_t)strnlen(a, MOST);
    uint32_t nb = (uint32_t)strnlen(b, MOST);

    for (uint32_t j = 0; j <= nb; j++)
        row[j] = j;
    for (uint32_t i = 1; i <= na; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= nb; j++) {
            uint32_t above = row[j];
            row[j] = least_of(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[nb];
}

static void split_time(int64_t unix_us, struct tm *ret, int32_t *ret_us)
{
    int64_t us = unix_us % 1000000;
    time_t seconds = (time_t)(unix_us / 1000000);
    if (us < 0) {
        us += 1000000;
        seconds--;
    }
    *ret_us = (int32_t)us;
    if (!gmtime_r(&seconds, ret))
        memset(ret, 0, sizeof *ret);
}

static void date_time(int64_t unix_us, char between, const char *end, char text[FEDN__TIME_TEXT])
{
    struct tm t;
    int32_t us = 0;

    split_time(unix_us, &t, &us);
    snprintf(text, FEDN__TIME_TEXT, "%04d-%02d-%02d%c%02d:%02d:%02d.%06d%s",
             (t.tm_year + 1900) % 10000, t.tm_mon + 1, t.tm_mday, between, t.tm_hour, t.tm_min,
             t.tm_sec, (int)us, end);
}

void fedn__text_iso_time(int64_t unix_us, char text[FEDN__TIME_TEXT])
{
    date_time(unix_us, 'T', "Z", text);
}

void fedn__text_space_time(int64_t unix_us, char text[FEDN__TIME_TEXT])
{
    date_time(unix_us, ' ', "", text);
}

void fedn__text_http_time(int64_t unix_us, char text[FEDN__TIME_TEXT])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm t;
    int32_t us = 0;

    split_time(unix_us, &t, &us);
    snprintf(text, FEDN__TIME_TEXT, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday % 7],
             t.tm_mday, months[t.tm_mon % 12], (t.tm_year + 1900) % 10000, t.tm_hour, t.tm_min,
             t.tm_sec);
}

void fedn__text_bytes(uint64_t bytes, char text[FEDN__BYTES_TEXT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    uint32_t unit = 0;

    while (value >= 1024 && unit < 6) {
        value /= 1024;
        unit++;
    }
    snprintf(text, FEDN__BYTES_TEXT, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

fedn_status fedn__text_host_port(const char *text, char *host, uint64_t host_bytes, uint16_t *port,
                                 fedn_error *err)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    uint64_t number = 0;

    if (!colon || !fedn__text_to_u64(colon + 1, &number) || number > 65535)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "\"%s\" is not an address: it must be host:port with a port of 0..65535",
                           text ? text : "");
    const char *start = text;
    uint64_t bytes = (uint64_t)(colon - text);
    if (bytes >= 2 && start[0] == '[' && start[bytes - 1] == ']') {
        start++;
        bytes -= 2;
    } else if (memchr(start, ':', (size_t)bytes)) {
        return fedn__error(err, FEDN_ERR_INVALID, "\"%s\": write an IPv6 address as [address]:port",
                           text);
    }
    if (bytes + 1 > host_bytes)
        return fedn__error(err, FEDN_ERR_LIMIT, "\"%s\": the host is over %llu bytes", text,
                           (unsigned long long)host_bytes - 1);
    memcpy(host, start, (size_t)bytes);
    host[bytes] = 0;
    *port = (uint16_t)number;
    return FEDN_OK;
}
