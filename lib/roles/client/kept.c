/* SPDX-License-Identifier: Apache-2.0
 * A trained update on disk: the model in one file, all else in a record of JSON behind its own
 * digest. The record is written last and removed first, so a model without one is nothing. */
#include "roles/client/kept.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>

#define RECORD      "update.json"
#define MODEL       "update.model"
#define RECORD_MOST (4 * FEDN__MIB) /* a round's configuration and metrics */

enum { HEX_BYTES = 2 * FEDN__DIGEST_BYTES };

void fedn__kept_done(fedn__kept *kept)
{
    fedn__order_free(kept->order);
    fedn__blob_unref(kept->update);
    for (uint32_t i = 0; i < kept->metric_count; i++)
        fedn__free(kept->metrics[i].name);
    fedn__free(kept->metrics);
    memset(kept, 0, sizeof *kept);
}

static void hex(const uint8_t digest[FEDN__DIGEST_BYTES], char ret[HEX_BYTES + 1])
{
    for (uint32_t i = 0; i < FEDN__DIGEST_BYTES; i++)
        snprintf(ret + (size_t)2 * i, 3, "%02x", digest[i]);
}

static json_t *metrics_list(const fedn_task *task)
{
    json_t *list = json_array();

    for (uint32_t i = 0; list && i < task->metric_count; i++) {
        json_t *pair = json_pack("[s, f]", task->metrics[i].name, task->metrics[i].value);
        if (!pair || json_array_append_new(list, pair) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *describe(const fedn_task *task, const fedn__kept *about, const char *digest)
{
    const fedn__order *o = task->order;
    json_t *metrics = metrics_list(task);
    json_t *record = NULL;

    if (metrics)
        record = json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:s, s:f, s:f, s:f, s:s, s:I, s:O}",
            "correlation_id", o->correlation_id, "session_id", o->session_id, "round_id",
            o->round_id, "model_id", o->model_id, "config", o->config, "format", o->format,
            "combiner", o->combiner, "wire_type", (int)o->wire_type, "inline_bytes",
            (json_int_t)o->inline_bytes, "update_id", about->update_id, "target", about->target,
            "fetch_s", about->fetch_s, "processing_s", task->processing_s, "num_examples",
            task->num_examples, "digest", digest, "bytes",
            (json_int_t)fedn__blob_bytes(task->update), "metrics", metrics);
    json_decref(metrics);
    return record;
}

static fedn_status write_record(const char *path, const json_t *record, fedn_error *err)
{
    uint8_t digest[FEDN__DIGEST_BYTES];
    char head[HEX_BYTES + 1];

    char *text = record ? fedn__json_text(record) : NULL;
    if (!text)
        return fedn__error_nomem(err);
    fedn__digest_of(text, strlen(text), digest);
    hex(digest, head);
    char *whole = fedn__strf("%s\n%s\n", head, text);
    fedn_status rc =
        whole ? fedn__fs_write_file(path, whole, strlen(whole), 1, err) : fedn__error_nomem(err);
    fedn__free(whole);
    fedn__free(text);
    return rc;
}

static fedn_status write_model(const char *path, fedn_task *task, fedn_error *err)
{
    const uint8_t *data = NULL;

    if (task->result == FEDN__RESULT_FILE) {
        fedn_status rc = fedn__fs_move(task->update_path, path, 1, err);
        if (rc == FEDN_OK)
            task->result = FEDN__RESULT_BYTES; /* the file is no longer the task's */
        return rc;
    }
    fedn_status rc = fedn__blob_map(task->update, &data, err);
    return rc == FEDN_OK ? fedn__fs_write_file(path, data, fedn__blob_bytes(task->update), 1, err)
                         : rc;
}

fedn_status fedn__kept_store(const char *dir, fedn_task *task, const fedn__kept *about,
                             fedn_error *err)
{
    uint8_t digest[FEDN__DIGEST_BYTES];
    char text[HEX_BYTES + 1];
    char *model = fedn__fs_join(dir, MODEL);
    char *path = fedn__fs_join(dir, RECORD);
    json_t *record = NULL;

    fedn_status rc = model && path ? FEDN_OK : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = fedn__fs_unlink(path, err);
    if (rc == FEDN_OK)
        rc = fedn__blob_digest(task->update, digest, err);
    if (rc == FEDN_OK) {
        hex(digest, text);
        record = describe(task, about, text);
        rc = write_model(model, task, err);
    }
    if (rc == FEDN_OK)
        rc = write_record(path, record, err);
    json_decref(record);
    fedn__free(path);
    fedn__free(model);
    return rc;
}

/* The JSON behind its digest; *ret is borrowed from `text`. */
static fedn_status check_record(const char *text, uint64_t bytes, const char **ret,
                                uint64_t *ret_bytes, fedn_error *err)
{
    uint8_t digest[FEDN__DIGEST_BYTES];
    char expected[HEX_BYTES + 1];

    if (bytes < HEX_BYTES + 2 || text[HEX_BYTES] != '\n' || text[bytes - 1] != '\n')
        return fedn__error(err, FEDN_ERR_FORMAT, "the record of an update is torn after %llu bytes",
                           (unsigned long long)bytes);
    *ret = text + HEX_BYTES + 1;
    *ret_bytes = bytes - HEX_BYTES - 2;
    fedn__digest_of(*ret, *ret_bytes, digest);
    hex(digest, expected);
    if (memcmp(expected, text, HEX_BYTES) != 0)
        return fedn__error(err, FEDN_ERR_FORMAT, "the record of an update has another digest");
    return FEDN_OK;
}

static fedn_status take_order(const json_t *record, fedn__order **ret, fedn_error *err)
{
    fedn__order *o = fedn__alloc_zero(sizeof *o);

    *ret = o;
    if (!o)
        return fedn__error_nomem(err);
    o->type = FEDN_TASK_TRAIN;
    o->wire_type = (int32_t)fedn__json_integer(record, "wire_type", 0);
    o->inline_bytes = (uint64_t)fedn__json_integer(record, "inline_bytes", 0);
    o->correlation_id = fedn__strdup(fedn__json_string(record, "correlation_id", ""));
    o->session_id = fedn__strdup(fedn__json_string(record, "session_id", ""));
    o->round_id = fedn__strdup(fedn__json_string(record, "round_id", ""));
    o->model_id = fedn__strdup(fedn__json_string(record, "model_id", ""));
    o->config = fedn__strdup(fedn__json_string(record, "config", "{}"));
    o->format = fedn__strdup(fedn__json_string(record, "format", ""));
    o->combiner = fedn__strdup(fedn__json_string(record, "combiner", ""));
    if (!o->correlation_id || !o->session_id || !o->round_id || !o->model_id || !o->config ||
        !o->format || !o->combiner)
        return fedn__error_nomem(err);
    return FEDN_OK;
}

static fedn_status take_metrics(const json_t *list, fedn__kept *kept, fedn_error *err)
{
    uint64_t count = json_array_size(list);

    if (count > FEDN__LIMIT_METRICS)
        count = FEDN__LIMIT_METRICS;
    kept->metrics = fedn__alloc_array(count ? count : 1, sizeof *kept->metrics);
    if (!kept->metrics)
        return fedn__error_nomem(err);
    for (uint64_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(list, i);
        const char *name = json_string_value(json_array_get(pair, 0));
        fedn__metric *metric = &kept->metrics[i];
        metric->name = fedn__strdup(name ? name : "");
        metric->value = json_number_value(json_array_get(pair, 1));
        if (!metric->name)
            return fedn__error_nomem(err);
        kept->metric_count++;
    }
    return FEDN_OK;
}

static fedn_status check_model(fedn__kept *kept, const json_t *record, fedn_error *err)
{
    uint64_t expected = (uint64_t)fedn__json_integer(record, "bytes", 0);
    uint64_t bytes = fedn__blob_bytes(kept->update);
    uint8_t digest[FEDN__DIGEST_BYTES];
    char text[HEX_BYTES + 1] = "";
    fedn_status rc = FEDN_OK;

    if (bytes == expected)
        rc = fedn__blob_digest(kept->update, digest, err);
    if (rc < 0)
        return rc;
    if (bytes == expected)
        hex(digest, text);
    if (strcmp(text, fedn__json_string(record, "digest", "")) != 0)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "an update of %llu bytes is not the one of %llu that was trained",
                           (unsigned long long)bytes, (unsigned long long)expected);
    return FEDN_OK;
}

static fedn_status take_record(const char *dir, const json_t *record, fedn__kept *ret,
                               fedn_error *err)
{
    char *model = fedn__fs_join(dir, MODEL);

    fedn_status rc = model ? FEDN_OK : fedn__error_nomem(err);
    snprintf(ret->update_id, sizeof ret->update_id, "%s",
             fedn__json_string(record, "update_id", ""));
    snprintf(ret->target, sizeof ret->target, "%s", fedn__json_string(record, "target", ""));
    ret->fetch_s = fedn__json_number(record, "fetch_s", 0);
    ret->processing_s = fedn__json_number(record, "processing_s", 0);
    ret->num_examples = fedn__json_number(record, "num_examples", 0);
    if (rc == FEDN_OK)
        rc = take_order(record, &ret->order, err);
    if (rc == FEDN_OK)
        rc = take_metrics(json_object_get(record, "metrics"), ret, err);
    if (rc == FEDN_OK)
        rc = fedn__blob_from_file(model, &ret->update, err);
    if (rc == FEDN_OK)
        rc = check_model(ret, record, err);
    if (rc == FEDN_ERR_NOT_FOUND)
        rc = fedn__error(err, FEDN_ERR_FORMAT, "a record of an update is there without its model");
    fedn__free(model);
    return rc;
}

fedn_status fedn__kept_load(const char *dir, fedn__kept *ret, fedn_error *err)
{
    char *path = fedn__fs_join(dir, RECORD);
    json_t *record = NULL;
    const char *json = NULL;
    char *text = NULL;
    uint64_t bytes = 0;

    memset(ret, 0, sizeof *ret);
    fedn_status rc =
        path ? fedn__fs_read(path, RECORD_MOST, &text, &bytes, err) : fedn__error_nomem(err);
    if (rc == FEDN_OK)
        rc = check_record(text, bytes, &json, &bytes, err);
    if (rc == FEDN_OK)
        rc = fedn__json_parse(json, bytes, 0, "the record of an update", &record, err);
    if (rc == FEDN_OK)
        rc = take_record(dir, record, ret, err);
    if (rc != FEDN_OK)
        fedn__kept_done(ret);
    json_decref(record);
    fedn__free(text);
    fedn__free(path);
    return rc;
}

fedn_status fedn__kept_task(fedn__kept *kept, const char *work_dir, const atomic_int *stopping,
                            fedn_task **ret, fedn_error *err)
{
    const fedn__task_setup setup = {
        .order = kept->order, .work_dir = work_dir, .model_format = "", .stopping = stopping};

    fedn_status rc = fedn__task_new(&setup, ret, err);
    if (rc != FEDN_OK)
        return rc;
    fedn_task *task = *ret;
    task->result = FEDN__RESULT_BYTES;
    task->update = kept->update;
    task->num_examples = kept->num_examples;
    task->processing_s = kept->processing_s;
    task->metrics = kept->metrics;
    task->metric_count = kept->metric_count;
    kept->update = NULL;
    kept->metrics = NULL;
    kept->metric_count = 0;
    return FEDN_OK;
}

void fedn__kept_drop(const char *dir)
{
    static const char *const names[] = {RECORD, MODEL};

    for (uint32_t i = 0; i < 2; i++) {
        char *path = fedn__fs_join(dir, names[i]);
        if (path)
            (void)fedn__fs_unlink(path, NULL);
        fedn__free(path);
    }
}
