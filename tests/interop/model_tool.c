/* SPDX-License-Identifier: Apache-2.0
 * Rewrites a model file in another format, through a model in memory ("load") or piece by piece
 * ("copy"): what the scripts beside it drive. Says the order of the tensors. */
#include "core/fs.h"
#include "model/writer.h"
#include <stdio.h>
#include <string.h>

static fedn_status load(const char *from, const char *from_format, const char *to,
                        const char *to_format, fedn_error *err)
{
    fedn_model *model = NULL;

    fedn_status rc = fedn_model_load(from, from_format, &model, err);
    for (uint32_t i = 0; i < fedn_model_count(model); i++)
        puts(fedn_model_name(model, i));
    if (rc == FEDN_OK)
        rc = fedn_model_save(model, to, to_format, err);
    fedn_model_unref(model);
    return rc;
}

static fedn_status copy(const char *from, const char *from_format, const char *to,
                        const char *to_format, fedn_error *err)
{
    fedn__blob *blob = NULL;
    fedn__source *source = NULL;
    fedn__sink sink = {-1, NULL};

    fedn_status rc = fedn__blob_from_file(from, &blob, err);
    if (rc == FEDN_OK)
        rc = fedn__source_open(blob, from_format, &source, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_create(to, &sink.fd, err);
    if (rc != FEDN_OK)
        goto out;
    for (uint32_t i = 0; i < fedn__source_count(source); i++)
        puts(fedn__source_info(source, i)->name);
    rc = fedn__writer_copy(source, to_format, &sink, err);
    if (rc == FEDN_OK)
        rc = fedn__fs_commit(sink.fd, to, 0, err);
    else
        fedn__fs_abandon(sink.fd, to);
out:
    fedn__source_free(source);
    fedn__blob_unref(blob);
    return rc;
}

int main(int argc, char **argv)
{
    fedn_error err = {.code = FEDN_OK};

    if (argc != 6) {
        fprintf(stderr, "usage: model_tool load|copy <from> <format or -> <to> <format>\n");
        return 2;
    }
    const char *from_format = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
    fedn_status rc = strcmp(argv[1], "load") == 0
                         ? load(argv[2], from_format, argv[4], argv[5], &err)
                         : copy(argv[2], from_format, argv[4], argv[5], &err);
    if (rc != FEDN_OK)
        fprintf(stderr, "%s: %s\n", fedn_status_string(rc), err.message);
    return rc == FEDN_OK ? 0 : 1;
}
