/* SPDX-License-Identifier: Apache-2.0
 * One round as one line, with the mean of what the clients' validations say. */
#include "round_line.h"

#include "api.h"
#include "out.h"
#include <stdarg.h>
#include <string.h>

void round_line_update(round_line *line, const json_t *event)
{
    snprintf(line->round_id, sizeof line->round_id, "%s", api_text(event, "round_id"));
    snprintf(line->status, sizeof line->status, "%s", api_text(event, "status"));
    snprintf(line->message, sizeof line->message, "%s", api_text(event, "message"));
    line->number = api_integer(event, "number");
    line->rounds = api_integer(event, "rounds");
    line->expected = api_integer(event, "expected");
    line->accepted = api_integer(event, "accepted");
    line->refused = api_integer(event, "refused");
    line->failed = api_integer(event, "failed");
    line->seconds = api_number(event, "seconds");
    line->ended = strcmp(line->status, "Finished") == 0 || strcmp(line->status, "Failed") == 0 ||
                  strcmp(line->status, "Terminated") == 0;
}

static round_metric *find_metric(round_line *line, const char *name)
{
    for (uint32_t i = 0; i < line->metric_count; i++)
        if (strcmp(line->metrics[i].name, name) == 0)
            return &line->metrics[i];
    if (line->metric_count == ROUND_METRICS)
        return NULL;
    round_metric *metric = &line->metrics[line->metric_count++];
    snprintf(metric->name, sizeof metric->name, "%s", name);
    return metric;
}

void round_line_validate(round_line *line, const json_t *event)
{
    json_t *metrics = json_object_get(event, "metrics");
    const char *name = NULL;
    json_t *value = NULL;

    line->validations++;
    json_object_foreach(metrics, name, value)
    {
        char key[ROUND_NAME];
        snprintf(key, sizeof key, "%s", name);
        round_metric *metric = json_is_number(value) ? find_metric(line, key) : NULL;
        if (!metric)
            continue;
        metric->sum += json_number_value(value);
        metric->count++;
    }
}

/* The text so far, and where the next piece goes. */
typedef struct text_end {
    char *to;
    size_t room;
} text_end;

static void add(text_end *end, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(text_end *end, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int written = vsnprintf(end->to, end->room, format, args);
    va_end(args);
    if (written < 0)
        return;
    size_t used = (size_t)written < end->room ? (size_t)written : end->room - 1;
    end->to += used;
    end->room -= used;
}

static int32_t is_liked(const char *name)
{
    return strcmp(name, "accuracy") == 0 ? 2 : strcmp(name, "loss") == 0;
}

/* The mean of two of them: accuracy and loss if there are such, then what came first. */
static void add_metrics(text_end *end, const round_line *line)
{
    int32_t room = 2;

    for (int32_t rank = 2; rank >= 0; rank--)
        for (uint32_t i = 0; i < line->metric_count && room > 0; i++) {
            const round_metric *metric = &line->metrics[i];
            if (is_liked(metric->name) != rank)
                continue;
            double mean = metric->sum / metric->count;
            add(end, mean > -1000 && mean < 1000 ? "  %s %.4f" : "  %s %.4g", metric->name, mean);
            room--;
        }
}

void round_line_text(const round_line *line, int32_t bar, char *to, size_t bytes)
{
    char bar_text[OUT_TEXT];
    char time[32];
    text_end end = {to, bytes};

    out_bar(line->expected > 0 ? (double)line->accepted / (double)line->expected : 0, bar, bar_text,
            sizeof bar_text);
    out_seconds(line->seconds, time, sizeof time);
    add(&end, "round %lld/%lld %s %lld/%lld updates  %s", (long long)line->number,
        (long long)line->rounds, bar_text, (long long)line->accepted, (long long)line->expected,
        time);
    if (line->refused > 0)
        add(&end, "  %lld refused", (long long)line->refused);
    if (line->failed > 0)
        add(&end, "  %lld failed", (long long)line->failed);
    add_metrics(&end, line);
    if (line->ended && strcmp(line->status, "Finished") != 0)
        add(&end, "  %s%s%s", line->status, line->message[0] ? ": " : "", line->message);
    else if (!line->ended && line->expected == 0 && line->message[0])
        add(&end, "  %s", line->message);
}
