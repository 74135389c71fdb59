/* SPDX-License-Identifier: Apache-2.0
 * Properties from a YAML file: nested maps or dotted names, scalars only. */
#include "core/config.h"

#include "core/alloc.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define NAME_ROOM (FEDN__LIMIT_NAME_BYTES + 1)

typedef struct loading {
    yaml_document_t document;
    const char *path;
    fedn_config *config;
    uint32_t visits;
    fedn_error *err;
} loading;

static fedn_status bad(loading *load, const yaml_node_t *node, fedn_status code, const char *text)
{
    return fedn__error(load->err, code, "%.200s line %lu: %s", load->path,
                       (unsigned long)node->start_mark.line + 1, text);
}

/* "combiner:" with nothing below it, as a sample file has when all is commented out. */
static int32_t is_empty_group(const yaml_node_t *node, const char *name)
{
    size_t bytes = strlen(name);

    if (node->data.scalar.length > 0)
        return 0;
    for (const fedn__property *row = fedn__properties; row->name; row++)
        if (strncmp(row->name, name, bytes) == 0 && row->name[bytes] == '.')
            return 1;
    return 0;
}

static fedn_status set_scalar(loading *load, const yaml_node_t *node, const char *name)
{
    fedn_error why = {0};

    const char *value = (const char *)node->data.scalar.value;
    if (strlen(value) != node->data.scalar.length)
        return bad(load, node, FEDN_ERR_FORMAT, "a value contains a NUL byte");
    if (is_empty_group(node, name))
        return FEDN_OK;
    fedn_status rc = fedn_config_set(load->config, name, value, &why);
    return rc == FEDN_OK ? rc : bad(load, node, rc, why.message);
}

/* The full name of a property, or of a group, from the group it stands in and its key. */
static fedn_status join_name(loading *load, const yaml_node_t *key, const char *prefix,
                             char name[NAME_ROOM])
{
    if (key->type != YAML_SCALAR_NODE)
        return bad(load, key, FEDN_ERR_FORMAT, "a property name must be a scalar");
    const char *text = (const char *)key->data.scalar.value;
    if (!*text || strlen(text) != key->data.scalar.length)
        return bad(load, key, FEDN_ERR_FORMAT, "a property name is empty or contains a NUL byte");
    int len = snprintf(name, NAME_ROOM, "%s%s%s", prefix, *prefix ? "." : "", text);
    if (len < 0 || len >= NAME_ROOM)
        return bad(load, key, FEDN_ERR_LIMIT, "a property name is over 255 bytes");
    return FEDN_OK;
}

static fedn_status set_node(loading *load, const yaml_node_t *node, const char *prefix,
                            uint32_t depth)
{
    char name[NAME_ROOM] = "";
    fedn_status rc = FEDN_OK;

    if (++load->visits > FEDN__LIMIT_CONFIG_NODES)
        return bad(load, node, FEDN_ERR_LIMIT, "the file has too many properties");
    if (node->type == YAML_SCALAR_NODE)
        return set_scalar(load, node, prefix);
    if (node->type != YAML_MAPPING_NODE || depth > FEDN__LIMIT_CONFIG_DEPTH)
        return bad(load, node, FEDN_ERR_FORMAT, "a property is a scalar or a map of properties");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         rc == FEDN_OK && pair < node->data.mapping.pairs.top; pair++) {
        rc = join_name(load, yaml_document_get_node(&load->document, pair->key), prefix, name);
        if (rc == FEDN_OK)
            rc = set_node(load, yaml_document_get_node(&load->document, pair->value), name,
                          depth + 1);
    }
    return rc;
}

/* libyaml looks at every open bracket again for each token. */
static int32_t too_deep(const char *text, uint64_t bytes)
{
    int64_t open = 0;

    for (uint64_t i = 0; i < bytes && open <= FEDN__LIMIT_CONFIG_BRACKETS; i++)
        open += (text[i] == '{' || text[i] == '[') - (text[i] == '}' || text[i] == ']');
    return open > FEDN__LIMIT_CONFIG_BRACKETS;
}

static fedn_status parse(loading *load, const char *text, uint64_t bytes)
{
    yaml_parser_t parser;
    fedn_status rc = FEDN_OK;

    if (too_deep(text, bytes))
        return fedn__error(load->err, FEDN_ERR_LIMIT, "%.200s has more than %d open brackets",
                           load->path, FEDN__LIMIT_CONFIG_BRACKETS);
    if (!yaml_parser_initialize(&parser))
        return fedn__error_nomem(load->err);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, (size_t)bytes);
    if (!yaml_parser_load(&parser, &load->document)) {
        rc = parser.error == YAML_MEMORY_ERROR
                 ? fedn__error_nomem(load->err)
                 : fedn__error(load->err, FEDN_ERR_FORMAT, "%.200s line %lu is not YAML: %s",
                               load->path, (unsigned long)parser.problem_mark.line + 1,
                               parser.problem ? parser.problem : "unreadable");
    } else {
        yaml_node_t *root = yaml_document_get_root_node(&load->document);
        if (root && root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0)
            root = NULL; /* "---" and nothing more */
        if (root && root->type != YAML_MAPPING_NODE)
            rc = bad(load, root, FEDN_ERR_FORMAT, "the file must hold a map of properties");
        else if (root)
            rc = set_node(load, root, "", 0);
        yaml_document_delete(&load->document);
    }
    yaml_parser_delete(&parser);
    return rc;
}

fedn_status fedn_config_load_file(fedn_config *config, const char *path, fedn_error *err)
{
    fedn_config *fresh = NULL;
    char *text = NULL;
    uint64_t bytes = 0;

    if (!config || !path)
        return fedn__error(err, FEDN_ERR_INVALID, "configuration and path must be given");
    fedn_status rc = fedn__fs_read(path, FEDN__LIMIT_CONFIG_FILE, &text, &bytes, err);
    if (rc != FEDN_OK)
        goto out;
    rc = fedn__config_copy(config, &fresh, err);
    if (rc != FEDN_OK)
        goto out;
    loading load = {.path = path, .config = fresh, .err = err};
    rc = parse(&load, text, bytes);
    if (rc == FEDN_OK)
        fedn__config_swap(config, fresh);
out:
    fedn_config_free(fresh);
    fedn__free(text);
    return rc;
}
