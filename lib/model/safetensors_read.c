/* SPDX-License-Identifier: Apache-2.0
 * The index of a .safetensors file: 8 bytes of length, a JSON object, then elements without gaps.
 * The header is cut into members first and each is parsed alone, so that a foreign header of 100
 * MiB cannot grow into gigabytes of JSON values. */
#include "core/alloc.h"
#include "core/error.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/text.h"
#include "model/dtype.h"
#include "model/source_impl.h"
#include <string.h>

typedef struct cutter {
    const char *at;
    const char *end;
} cutter;

static fedn_status malformed(fedn_error *err, const char *what)
{
    return fedn__error(err, FEDN_ERR_FORMAT, "safetensors: header %s", what);
}

static void skip_spaces(cutter *in)
{
    while (in->at < in->end &&
           (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
        in->at++;
}

/* Past the string that begins here; its end, or NULL if there is none. */
static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '\\')
            at++;
        else if (*at == '"')
            return at + 1;
    }
    return NULL;
}

/* The next `"key": value` up to the comma or brace that follows it; what is in it is the JSON
 * parser's business. */
static fedn_status cut_member(cutter *in, const char **ret, uint64_t *ret_bytes, fedn_error *err)
{
    uint32_t depth = 0;
    const char *at = in->at;

    while (at && at < in->end && (depth || (*at != ',' && *at != '}'))) {
        if (*at == '"') {
            at = string_end(at, in->end);
            continue;
        }
        if ((*at == '{' || *at == '[') && ++depth > FEDN__LIMIT_JSON_DEPTH)
            return fedn__error(err, FEDN_ERR_LIMIT, "safetensors: header nested deeper than %d",
                               FEDN__LIMIT_JSON_DEPTH);
        if ((*at == '}' || *at == ']') && depth)
            depth--;
        at++;
    }
    if (!at || at >= in->end)
        return malformed(err, "has no end");
    *ret = in->at;
    *ret_bytes = (uint64_t)(at - in->at);
    in->at = at;
    if (*ret_bytes > FEDN__LIMIT_HEADER_MEMBER)
        return fedn__error(err, FEDN_ERR_LIMIT,
                           "safetensors: header member of %llu bytes is over "
                           "%llu",
                           (unsigned long long)*ret_bytes,
                           (unsigned long long)FEDN__LIMIT_HEADER_MEMBER);
    return FEDN_OK;
}

/* A number that is no less than 0. */
static int32_t take_size(const json_t *value, uint64_t *ret)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return 0;
    *ret = (uint64_t)json_integer_value(value);
    return 1;
}

static fedn_status add_tensor(fedn__source *source, const char *name, const json_t *value,
                              uint64_t data_offset, fedn_error *err)
{
    const char *type = fedn__json_string(value, "dtype", NULL);
    const json_t *shape = json_object_get(value, "shape");
    const json_t *offsets = json_object_get(value, "data_offsets");
    uint64_t sizes[FEDN_MODEL_MAX_RANK];
    uint64_t range[2] = {0, 0};
    fedn__entry *entry = NULL;

    if (!type || !json_is_array(shape) || json_array_size(offsets) != 2 ||
        !take_size(json_array_get(offsets, 0), &range[0]) ||
        !take_size(json_array_get(offsets, 1), &range[1]) || json_object_size(value) != 3)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "safetensors: tensor \"%s\" is not described by dtype, shape and two "
                           "data_offsets",
                           name);
    const fedn__dtype_row *row = fedn__dtype_by_safetensors(type);
    if (!row)
        return fedn__error(err, FEDN_ERR_UNSUPPORTED,
                           "safetensors: tensor \"%s\": element type \"%s\" is not supported", name,
                           type);
    if (json_array_size(shape) > FEDN_MODEL_MAX_RANK)
        return fedn__error(err, FEDN_ERR_LIMIT, "safetensors: tensor \"%s\": rank is over %d", name,
                           FEDN_MODEL_MAX_RANK);
    for (uint32_t i = 0; i < json_array_size(shape); i++)
        if (!take_size(json_array_get(shape, i), &sizes[i]))
            return fedn__error(err, FEDN_ERR_FORMAT,
                               "safetensors: tensor \"%s\": shape is not a list of sizes", name);
    fedn_status rc = fedn__index_add(&source->index, name, row->dtype,
                                     (uint32_t)json_array_size(shape), sizes, &entry, err);
    if (rc != FEDN_OK)
        return rc;
    if (range[1] < range[0] || range[1] - range[0] != entry->info.bytes)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "safetensors: tensor \"%s\": its shape needs %llu bytes, its offsets "
                           "%llu to %llu do not hold them",
                           name, (unsigned long long)entry->info.bytes,
                           (unsigned long long)range[0], (unsigned long long)range[1]);
    if (range[1] > source->input.bytes - data_offset)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "safetensors: tensor \"%s\": offset %llu is beyond the %llu bytes of "
                           "elements",
                           name, (unsigned long long)range[1],
                           (unsigned long long)(source->input.bytes - data_offset));
    entry->member = (fedn__member){.offset = data_offset + range[0],
                                   .packed = entry->info.bytes,
                                   .bytes = entry->info.bytes,
                                   .checked = 1};
    return FEDN_OK;
}

/* One member of the header, wrapped into an object of its own for the parser. */
static fedn_status take_member(fedn__source *source, const char *text, uint64_t bytes,
                               uint64_t data_offset, int32_t *metadata, fedn_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_t *object = NULL;
    fedn_status rc = FEDN_OK;

    char *wrapped = fedn__strf("{%.*s}", (int)bytes, text);
    if (!wrapped)
        return fedn__error_nomem(err);
    rc = fedn__json_parse(wrapped, bytes + 2, 0, "safetensors header", &object, err);
    if (rc != FEDN_OK)
        goto out;
    if (json_object_size(object) != 1) {
        rc = malformed(err, "has an empty member");
        goto out;
    }
    json_object_foreach(object, key, value)
    {
        if (strcmp(key, "__metadata__") != 0)
            rc = add_tensor(source, key, value, data_offset, err);
        else if ((*metadata)++ || !json_is_object(value))
            rc = malformed(err, "has __metadata__ twice, or it is not an object");
    }
out:
    json_decref(object);
    fedn__free(wrapped);
    return rc;
}

static fedn_status read_members(fedn__source *source, const char *header, uint64_t bytes,
                                fedn_error *err)
{
    cutter in = {header, header + bytes};
    const char *text = NULL;
    uint64_t length = 0;
    int32_t metadata = 0;
    fedn_status rc = FEDN_OK;

    if (!fedn__text_is_utf8(header, bytes))
        return malformed(err, "is not UTF-8");
    if (*in.at++ != '{')
        return malformed(err, "does not begin with {");
    skip_spaces(&in);
    int32_t more = in.at < in.end && *in.at != '}';
    while (more) {
        rc = cut_member(&in, &text, &length, err);
        if (rc == FEDN_OK)
            rc = take_member(source, text, length, 8 + bytes, &metadata, err);
        if (rc != FEDN_OK)
            return rc;
        more = *in.at == ',';
        in.at += more;
    }
    if (in.at >= in.end)
        return malformed(err, "has no end");
    in.at++;
    skip_spaces(&in);
    return in.at == in.end ? FEDN_OK : malformed(err, "is followed by something");
}

static int compare(const void *a, const void *b)
{
    const fedn__entry *left = a;
    const fedn__entry *right = b;

    if (left->member.offset != right->member.offset)
        return left->member.offset < right->member.offset ? -1 : 1;
    if (left->info.bytes != right->info.bytes) /* empty tensors go before what is at their offset */
        return left->info.bytes < right->info.bytes ? -1 : 1;
    return strcmp(left->info.name, right->info.name);
}

/* In the order of their elements, the tensors must follow each other without gap or overlap up to
 * the end of the file. */
static fedn_status check_cover(const fedn__source *source, uint64_t data_offset, fedn_error *err)
{
    uint64_t next = data_offset;

    for (uint32_t i = 0; i < source->index.count; i++) {
        const fedn__entry *entry = &source->index.entries[i];
        if (entry->member.offset != next)
            return fedn__error(err, FEDN_ERR_FORMAT,
                               "safetensors: tensor \"%s\" begins at offset %llu, the one before "
                               "it ends at %llu",
                               entry->info.name,
                               (unsigned long long)(entry->member.offset - data_offset),
                               (unsigned long long)(next - data_offset));
        next += entry->info.bytes;
    }
    if (next != source->input.bytes)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "safetensors: %llu bytes at the end belong to no tensor",
                           (unsigned long long)(source->input.bytes - next));
    return FEDN_OK;
}

fedn_status fedn__safetensors_open(fedn__source *source, const fedn__format *format,
                                   fedn_error *err)
{
    (void)format;
    uint8_t prefix[8];
    char *header = NULL;

    fedn_status rc =
        fedn__input_read(&source->input, 0, prefix, sizeof prefix, "safetensors: length", err);
    if (rc != FEDN_OK)
        return rc;
    uint64_t bytes = fedn__input_u64(prefix);
    if (bytes > FEDN__LIMIT_SAFETENSORS_HEADER)
        return fedn__error(err, FEDN_ERR_LIMIT, "safetensors: header of %llu bytes is over %llu",
                           (unsigned long long)bytes,
                           (unsigned long long)FEDN__LIMIT_SAFETENSORS_HEADER);
    if (bytes < 2 || bytes > source->input.bytes - 8)
        return fedn__error(err, FEDN_ERR_FORMAT,
                           "safetensors: header of %llu bytes does not fit a file of %llu",
                           (unsigned long long)bytes, (unsigned long long)source->input.bytes);
    header = fedn__alloc(bytes);
    if (!header)
        return fedn__error_nomem(err);
    rc = fedn__input_read(&source->input, 8, header, bytes, "safetensors: header", err);
    if (rc == FEDN_OK)
        rc = read_members(source, header, bytes, err);
    fedn__free(header);
    if (rc != FEDN_OK)
        return rc;
    rc = fedn__index_sort(&source->index, compare, err);
    if (rc == FEDN_OK)
        rc = check_cover(source, 8 + bytes, err);
    return rc == FEDN_OK ? fedn__index_sort_numbers(&source->index, err) : rc;
}
