/* SPDX-License-Identifier: Apache-2.0
 * fedn.yaml, and the environment file that it may name. */
#include <fedn/package.h>

#include "core/alloc.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/fs.h"
#include "core/limits.h"
#include "core/text.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

enum { ENTRY_POINTS = 32 };

struct fedn_package {
    char *root;
    char *python_env; /* path of the environment file, as fedn.yaml has it */
    char *env_name;
    char *requirements[2]; /* [1]: of the build */
    uint32_t count;
    struct {
        char *name;
        char *command;
    } entry_points[ENTRY_POINTS];
};

/* One YAML file while it is read. */
typedef struct reading {
    yaml_document_t document;
    const char *path;
    fedn_package *package;
    fedn_error *err;
} reading;

static fedn_status bad(const reading *self, const yaml_node_t *node, const char *text)
{
    return fedn__error(self->err, FEDN_ERR_FORMAT, "%.300s line %lu: %s", self->path,
                       (unsigned long)node->start_mark.line + 1, text);
}

/* The value of a key; NULL: absent, or null. */
static yaml_node_t *member(reading *self, const yaml_node_t *map, const char *key)
{
    for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(&self->document, pair->key);
        yaml_node_t *value = yaml_document_get_node(&self->document, pair->value);
        if (name->type == YAML_SCALAR_NODE && strcmp((char *)name->data.scalar.value, key) == 0)
            return value->type == YAML_SCALAR_NODE && value->data.scalar.length == 0 ? NULL : value;
    }
    return NULL;
}

static fedn_status copy_scalar(const reading *self, const yaml_node_t *node, const char *what,
                               char **ret)
{
    char text[160];

    snprintf(text, sizeof text, "%s must be a text without NUL bytes", what);
    if (node->type != YAML_SCALAR_NODE ||
        strlen((char *)node->data.scalar.value) != node->data.scalar.length)
        return bad(self, node, text);
    *ret = fedn__strdup((char *)node->data.scalar.value);
    return *ret ? FEDN_OK : fedn__error_nomem(self->err);
}

static fedn_status take_entry_point(reading *self, const yaml_node_t *name,
                                    const yaml_node_t *value)
{
    fedn_package *package = self->package;

    if (name->type != YAML_SCALAR_NODE || value->type != YAML_MAPPING_NODE)
        return bad(self, name, "an entry point is a name with a map that has a command");
    const yaml_node_t *command = member(self, value, "command");
    if (!command)
        return bad(self, name, "the entry point has no command");
    if (package->count == ENTRY_POINTS)
        return bad(self, name, "there are more than 32 entry points");
    uint32_t at = package->count++;
    fedn_status rc = copy_scalar(self, name, "its name", &package->entry_points[at].name);
    return rc == FEDN_OK
               ? copy_scalar(self, command, "a command", &package->entry_points[at].command)
               : rc;
}

static fedn_status take_manifest(reading *self, const yaml_node_t *root)
{
    const yaml_node_t *points = member(self, root, "entry_points");
    const yaml_node_t *env = member(self, root, "python_env");
    fedn_status rc = FEDN_OK;

    if (!points || points->type != YAML_MAPPING_NODE)
        return bad(self, root, "there is no map of entry_points");
    for (const yaml_node_pair_t *pair = points->data.mapping.pairs.start;
         rc == FEDN_OK && pair < points->data.mapping.pairs.top; pair++)
        rc = take_entry_point(self, yaml_document_get_node(&self->document, pair->key),
                              yaml_document_get_node(&self->document, pair->value));
    return rc == FEDN_OK && env ? copy_scalar(self, env, "python_env", &self->package->python_env)
                                : rc;
}

/* A list of requirements, as lines. */
static fedn_status take_requirements(reading *self, const yaml_node_t *list, char **ret)
{
    fedn__buffer lines;
    fedn_status rc = FEDN_OK;

    fedn__buffer_init(&lines, FEDN__LIMIT_PACKAGE_YAML);
    if (list && list->type != YAML_SEQUENCE_NODE)
        rc = bad(self, list, "dependencies are a list");
    for (const yaml_node_item_t *item = list ? list->data.sequence.items.start : NULL;
         list && rc == FEDN_OK && item < list->data.sequence.items.top; item++) {
        const yaml_node_t *node = yaml_document_get_node(&self->document, *item);
        const char *text = (const char *)node->data.scalar.value;
        if (node->type != YAML_SCALAR_NODE || !fedn__text_is_line(text, FEDN__LIMIT_TEXT_BYTES))
            rc = bad(self, node, "a dependency is one line of text");
        if (rc == FEDN_OK)
            rc = fedn__buffer_add_text(&lines, text);
        if (rc == FEDN_OK)
            rc = fedn__buffer_add_text(&lines, "\n");
    }
    if (rc == FEDN_OK && !(*ret = fedn__buffer_take(&lines)))
        rc = fedn__error_nomem(self->err);
    fedn__buffer_done(&lines);
    return rc;
}

static fedn_status take_environment(reading *self, const yaml_node_t *root)
{
    fedn_package *package = self->package;
    const yaml_node_t *name = member(self, root, "name");
    fedn_status rc = FEDN_OK;

    if (name)
        rc = copy_scalar(self, name, "the environment's name", &package->env_name);
    else
        package->env_name = fedn__strdup("fedn_env");
    if (rc == FEDN_OK && !package->env_name)
        return fedn__error_nomem(self->err);
    if (rc == FEDN_OK && (!fedn__text_is_line(package->env_name, FEDN__LIMIT_NAME_BYTES) ||
                          strchr(package->env_name, '/') || package->env_name[0] == '.'))
        rc = bad(self, root, "the environment's name is a folder's, without '/' and a leading dot");
    if (rc == FEDN_OK)
        rc = take_requirements(self, member(self, root, "build_dependencies"),
                               &package->requirements[1]);
    if (rc == FEDN_OK)
        rc = take_requirements(self, member(self, root, "dependencies"), &package->requirements[0]);
    return rc;
}

static fedn_status parse(reading *self, const char *text, uint64_t bytes,
                         fedn_status (*take)(reading *self, const yaml_node_t *root))
{
    yaml_parser_t parser;
    int64_t open = 0;
    fedn_status rc = FEDN_OK;

    /* libyaml looks at every open bracket again for each token */
    for (uint64_t i = 0; i < bytes && open <= FEDN__LIMIT_CONFIG_BRACKETS; i++)
        open += (text[i] == '{' || text[i] == '[') - (text[i] == '}' || text[i] == ']');
    if (open > FEDN__LIMIT_CONFIG_BRACKETS)
        return fedn__error(self->err, FEDN_ERR_LIMIT, "%.300s has more than %d open brackets",
                           self->path, FEDN__LIMIT_CONFIG_BRACKETS);
    if (!yaml_parser_initialize(&parser))
        return fedn__error_nomem(self->err);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, (size_t)bytes);
    if (!yaml_parser_load(&parser, &self->document)) {
        rc = parser.error == YAML_MEMORY_ERROR
                 ? fedn__error_nomem(self->err)
                 : fedn__error(self->err, FEDN_ERR_FORMAT, "%.300s line %lu is not YAML: %s",
                               self->path, (unsigned long)parser.problem_mark.line + 1,
                               parser.problem ? parser.problem : "unreadable");
    } else {
        const yaml_node_t *root = yaml_document_get_root_node(&self->document);
        if (!root || root->type != YAML_MAPPING_NODE)
            rc = fedn__error(self->err, FEDN_ERR_FORMAT, "%.300s must hold a map", self->path);
        else
            rc = take(self, root);
        yaml_document_delete(&self->document);
    }
    yaml_parser_delete(&parser);
    return rc;
}

static fedn_status read_yaml(fedn_package *package, const char *name,
                             fedn_status (*take)(reading *self, const yaml_node_t *root),
                             fedn_error *err)
{
    char *text = NULL;
    uint64_t bytes = 0;
    char *path = fedn__fs_join(package->root, name);

    if (!path)
        return fedn__error_nomem(err);
    reading self = {.path = path, .package = package, .err = err};
    fedn_status rc = fedn__fs_read(path, FEDN__LIMIT_PACKAGE_YAML, &text, &bytes, err);
    if (rc == FEDN_OK)
        rc = parse(&self, text, bytes, take);
    fedn__free(text);
    fedn__free(path);
    return rc;
}

static int32_t has_manifest(const char *dir)
{
    char *path = fedn__fs_join(dir, "fedn.yaml");
    struct stat info;
    int32_t found = path && stat(path, &info) == 0 && S_ISREG(info.st_mode);

    fedn__free(path);
    return found;
}

/* The first folder in the order of names that has a fedn.yaml; NULL: none. Links are not followed.
 */
static char *find_root(const char *dir, uint32_t depth)
{
    struct dirent **entries = NULL;
    char *found = has_manifest(dir) ? fedn__strdup(dir) : NULL;

    if (found || depth == FEDN__LIMIT_PACKAGE_DEPTH)
        return found;
    int count = scandir(dir, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char *below =
            entries[i]->d_name[0] != '.' && !found ? fedn__fs_join(dir, entries[i]->d_name) : NULL;
        struct stat info;
        if (below && lstat(below, &info) == 0 && S_ISDIR(info.st_mode))
            found = find_root(below, depth + 1);
        fedn__free(below);
        free(entries[i]);
    }
    free(entries);
    return found;
}

/* Commands may run anywhere: the root is absolute. */
static fedn_status locate(fedn_package *package, const char *dir, fedn_error *err)
{
    char *found = find_root(dir, 0);
    char *absolute = found ? realpath(found, NULL) : NULL;

    package->root = absolute ? fedn__strdup(absolute) : NULL;
    free(absolute);
    fedn__free(found);
    if (package->root)
        return FEDN_OK;
    return found ? fedn__error_nomem(err)
                 : fedn__error(err, FEDN_ERR_NOT_FOUND, "there is no fedn.yaml in %.300s or below",
                               dir);
}

fedn_status fedn_package_open(const char *dir, fedn_package **ret, fedn_error *err)
{
    if (!dir || !ret)
        return fedn__error(err, FEDN_ERR_INVALID, "dir and ret must not be NULL");
    *ret = NULL;
    fedn_package *package = fedn__alloc_zero(sizeof *package);
    if (!package)
        return fedn__error_nomem(err);
    fedn_status rc = locate(package, dir, err);
    if (rc == FEDN_OK)
        rc = read_yaml(package, "fedn.yaml", take_manifest, err);
    if (rc == FEDN_OK && package->python_env)
        rc = read_yaml(package, package->python_env, take_environment, err);
    if (rc != FEDN_OK) {
        fedn_package_free(package);
        return rc;
    }
    *ret = package;
    return FEDN_OK;
}

void fedn_package_free(fedn_package *package)
{
    if (!package)
        return;
    for (uint32_t i = 0; i < package->count; i++) {
        fedn__free(package->entry_points[i].name);
        fedn__free(package->entry_points[i].command);
    }
    fedn__free(package->requirements[0]);
    fedn__free(package->requirements[1]);
    fedn__free(package->env_name);
    fedn__free(package->python_env);
    fedn__free(package->root);
    fedn__free(package);
}

const char *fedn_package_root(const fedn_package *package)
{
    return package->root;
}

const char *fedn_package_command(const fedn_package *package, const char *entry_point)
{
    for (uint32_t i = 0; i < package->count; i++)
        if (strcmp(package->entry_points[i].name, entry_point) == 0)
            return package->entry_points[i].command;
    return NULL;
}

const char *fedn_package_env_name(const fedn_package *package)
{
    return package->env_name;
}

const char *fedn_package_env_requirements(const fedn_package *package, int32_t build)
{
    const char *lines = package->requirements[build ? 1 : 0];

    return lines ? lines : "";
}
