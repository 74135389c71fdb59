/* SPDX-License-Identifier: Apache-2.0
 * A task as a program's run, in the way of FEDn's entry points: files in, files out, beside each
 * model a "<model>-metadata" with JSON. */
#include "task_program.h"

#include "cli.h"
#include "runner.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_BYTES = 16 * 1024 * 1024, NAME_ROOM = 32 };

/* The files of one run, all in the task's directory. */
typedef struct task_files {
    char in_model[PATH_MAX + NAME_ROOM];
    char in_metadata[PATH_MAX + NAME_ROOM];
    char out[PATH_MAX + NAME_ROOM];
    char out_metadata[PATH_MAX + NAME_ROOM];
} task_files;

/* Programs may change their directory: all paths are absolute. The model gets a name that ends in
 * .npz, which numpy looks for. */
static fedn_status lay_out(fedn_task *task, const char *out_name, task_files *ret, fedn_error *err)
{
    char dir[PATH_MAX];
    char model[PATH_MAX];

    if (!realpath(fedn_task_dir(task), dir) || !realpath(fedn_task_model_path(task), model))
        return cli_error(err, FEDN_ERR_CALLBACK, "cannot find the files of the task");
    snprintf(ret->in_model, sizeof ret->in_model, "%s/in.npz", dir);
    snprintf(ret->in_metadata, sizeof ret->in_metadata, "%s/in.npz-metadata", dir);
    snprintf(ret->out, sizeof ret->out, "%s/%s", dir, out_name);
    snprintf(ret->out_metadata, sizeof ret->out_metadata, "%s/%s-metadata", dir, out_name);
    if (symlink(model, ret->in_model) != 0)
        return cli_error(err, FEDN_ERR_CALLBACK, "cannot link %s", ret->in_model);
    json_t *config = json_loads(fedn_task_config(task), 0, NULL);
    json_t *settings = json_object_get(config, "client_settings");
    json_t *metadata = json_is_object(settings) ? json_incref(settings) : json_object();
    int failed = json_dump_file(metadata, ret->in_metadata, JSON_COMPACT);
    json_decref(metadata);
    json_decref(config);
    return failed ? cli_error(err, FEDN_ERR_CALLBACK, "cannot write %s", ret->in_metadata)
                  : FEDN_OK;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static fedn_status run(fedn_task *task, const runner_command *command, const task_files *files,
                       fedn_error *err)
{
    char round[256];
    char session[256];
    char model[256];
    const char *args[] = {files->in_model, files->out, NULL};
    const char *env[] = {round, session, model, NULL};
    runner_call call = {args, env, fedn_task_cancel_fd(task), 0};

    snprintf(round, sizeof round, "FEDN_TASK_ROUND_ID=%s", or_empty(fedn_task_round_id(task)));
    snprintf(session, sizeof session, "FEDN_TASK_SESSION_ID=%s",
             or_empty(fedn_task_session_id(task)));
    snprintf(model, sizeof model, "FEDN_TASK_MODEL_ID=%s", or_empty(fedn_task_model_id(task)));
    return runner_run(command, &call, err);
}

/* num_examples is the update's weight; other numbers become metrics. */
static fedn_status take_metadata(fedn_task *task, const char *path, fedn_error *err)
{
    json_t *metadata = json_load_file(path, 0, NULL);
    const char *name = NULL;
    json_t *value = NULL;
    fedn_status rc = FEDN_OK;

    if (!json_is_number(json_object_get(metadata, "num_examples"))) {
        json_decref(metadata);
        return cli_error(err, FEDN_ERR_CALLBACK,
                         "the program wrote no OUT_MODEL-metadata with a number num_examples");
    }
    json_object_foreach(metadata, name, value)
    {
        if (rc != FEDN_OK || !json_is_number(value))
            continue;
        if (strcmp(name, "num_examples") == 0)
            rc = fedn_task_set_num_examples(task, json_number_value(value), err);
        else
            rc = fedn_task_set_metric(task, name, json_number_value(value), err);
    }
    json_decref(metadata);
    return rc;
}

fedn_status task_program_train(fedn_task *task, fedn_error *err, void *user_data)
{
    task_files files;

    fedn_status rc = lay_out(task, "out.npz", &files, err);
    if (rc == FEDN_OK)
        rc = run(task, user_data, &files, err);
    if (rc != FEDN_OK)
        return rc;
    if (access(files.out, R_OK) != 0)
        return cli_error(err, FEDN_ERR_CALLBACK, "the program succeeded but wrote no OUT_MODEL");
    rc = take_metadata(task, files.out_metadata, err);
    return rc == FEDN_OK ? fedn_task_set_model_file(task, files.out, err) : rc;
}

static fedn_status read_answer(const char *path, char **ret, fedn_error *err)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;

    *ret = NULL;
    if (!file)
        return cli_error(err, FEDN_ERR_CALLBACK, "the program succeeded but wrote no OUT_JSON");
    text = malloc(ANSWER_BYTES);
    size_t bytes = text ? fread(text, 1, ANSWER_BYTES, file) : 0;
    fclose(file);
    if (!text)
        return cli_error(err, FEDN_ERR_NOMEM, "out of memory");
    if (bytes == ANSWER_BYTES) {
        free(text);
        return cli_error(err, FEDN_ERR_CALLBACK, "the program's OUT_JSON is over %d bytes",
                         ANSWER_BYTES);
    }
    text[bytes] = 0;
    *ret = text;
    return FEDN_OK;
}

fedn_status task_program_answer(fedn_task *task, fedn_error *err, void *user_data)
{
    char *text = NULL;
    task_files files;

    fedn_status rc = lay_out(task, "out.json", &files, err);
    if (rc == FEDN_OK)
        rc = run(task, user_data, &files, err);
    if (rc == FEDN_OK)
        rc = read_answer(files.out, &text, err);
    if (rc == FEDN_OK)
        rc = fedn_task_set_data(task, text, err);
    free(text);
    return rc;
}
