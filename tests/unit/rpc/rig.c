/* SPDX-License-Identifier: Apache-2.0
 * Two loops, a listener and a channel; see rig.h. */
#include "rig.h"

#include "core/clock.h"
#include "core/thread.h"
#include <stdlib.h>

static void swallow(int32_t level, const char *component, const char *message, void *user_data)
{
    (void)user_data;
    if (getenv("FEDN_TEST_LOG"))
        fprintf(stderr, "%d %s: %s\n", (int)level, component, message);
}

static const fedn__log quiet = {.fn = swallow, .level = FEDN_LOG_DEBUG};

void rig_notes_init(rig_notes *notes)
{
    memset(notes, 0, sizeof *notes);
    pthread_mutex_init(&notes->mutex, NULL);
    fedn__cond_init(&notes->cond);
}

void rig_note(rig_notes *notes, const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&notes->mutex);
    char word[256];
    size_t used = strlen(notes->text);
    va_start(args, format);
    (void)vsnprintf(word, sizeof word, format, args);
    va_end(args);
    (void)snprintf(notes->text + used, sizeof notes->text - used, "%s ", word);
    pthread_cond_broadcast(&notes->cond);
    pthread_mutex_unlock(&notes->mutex);
}

static int count_words(const char *text, const char *word)
{
    int count = 0;
    size_t length = strlen(word);

    for (const char *at = text; (at = strstr(at, word)) != NULL; at += length)
        if ((at == text || at[-1] == ' ') && at[length] == ' ')
            count++;
    return count;
}

int rig_count(rig_notes *notes, const char *word)
{
    pthread_mutex_lock(&notes->mutex);
    int count = count_words(notes->text, word);
    pthread_mutex_unlock(&notes->mutex);
    return count;
}

void rig_wait_count(rig_notes *notes, const char *word, int count)
{
    int64_t deadline = fedn__clock_ns() + 20000000000;
    int32_t late = 0;
    char text[sizeof notes->text];

    pthread_mutex_lock(&notes->mutex);
    while (count_words(notes->text, word) < count && !late)
        late = !fedn__cond_wait(&notes->cond, &notes->mutex, deadline);
    memcpy(text, notes->text, sizeof text);
    pthread_mutex_unlock(&notes->mutex);
    if (late)
        fail_msg("\"%s\" did not come %d times, but: %s", word, count, text);
}

void rig_wait(rig_notes *notes, const char *word)
{
    rig_wait_count(notes, word, 1);
}

void rig_dial(test_rig *rig)
{
    fedn_error err;
    fedn__channel_options options = {.target = rig->target, .backoff_max_ms = 300};

    assert_ok(fedn__channel_new(rig->dialling, &options, &rig->channel, &err), &err);
}

void rig_start_with(test_rig *rig, const fedn__method *methods, uint32_t count,
                    const fedn__server_options *options)
{
    fedn_error err;

    memset(rig, 0, sizeof *rig);
    rig_notes_init(&rig->notes);
    assert_ok(fedn__loop_new("serving", &quiet, &rig->serving, &err), &err);
    assert_ok(fedn__loop_new("dialling", &quiet, &rig->dialling, &err), &err);
    assert_ok(fedn__pool_new(2, "worker", &rig->pool, &err), &err);
    assert_ok(fedn__server_new(rig->serving, options, methods, count, &rig->server, &err), &err);
    snprintf(rig->target, sizeof rig->target, "127.0.0.1:%d", (int)fedn__server_port(rig->server));
    rig_dial(rig);
}

void rig_start(test_rig *rig, const fedn__method *methods, uint32_t count)
{
    fedn__server_options options = {.listen = "127.0.0.1:0"};

    rig_start_with(rig, methods, count, &options);
}

static void hang_up(void *channel)
{
    fedn__channel_free(channel);
}

void rig_hang_up(test_rig *rig)
{
    if (rig->channel)
        fedn__loop_call(rig->dialling, hang_up, rig->channel);
    rig->channel = NULL;
}

void rig_stop(test_rig *rig)
{
    rig_hang_up(rig); /* what was never made may be NULL */
    fedn__server_free(rig->server, 0);
    fedn__loop_free(rig->dialling);
    fedn__loop_free(rig->serving);
    fedn__pool_free(rig->pool);
}

void rig_dialling(test_rig *rig, void (*fn)(void *arg), void *arg)
{
    fedn__loop_call(rig->dialling, fn, arg);
}

void rig_serving(test_rig *rig, void (*fn)(void *arg), void *arg)
{
    fedn__loop_call(rig->serving, fn, arg);
}

typedef struct test_question {
    test_rig *rig;
    const char *path;
    const ProtobufCMessage *request;
    int64_t timeout_ms;
    fedn_status rc;
    rig_answer answer;
    fedn__flag done;
} test_question;

static void on_answer(int32_t rpc, const char *details, const ProtobufCMessage *response,
                      void *user_data)
{
    test_question *question = user_data;

    question->answer.rpc = rpc;
    snprintf(question->answer.details, sizeof question->answer.details, "%s", details);
    if (response)
        snprintf(question->answer.response, sizeof question->answer.response, "%s",
                 ((const Fedn__Response *)response)->response);
    fedn__flag_set(&question->done);
}

static void put_question(void *arg)
{
    test_question *question = arg;
    fedn__unary_options options = {.timeout_ms = question->timeout_ms, .wait_ready = 0};

    question->rc = fedn__channel_unary(question->rig->channel, question->path, question->request,
                                       &fedn__response__descriptor, &options, on_answer, question);
}

rig_answer rig_ask(test_rig *rig, const char *path, const ProtobufCMessage *request,
                   int64_t timeout_ms)
{
    test_question question = {
        .rig = rig, .path = path, .request = request, .timeout_ms = timeout_ms};

    fedn__flag_init(&question.done);
    rig_dialling(rig, put_question, &question);
    if (question.rc < 0) {
        question.answer.rpc = 100 - question.rc;
    } else if (!fedn__flag_wait(&question.done, fedn__clock_ns() + 20000000000)) {
        fail_msg("%s was never answered", path);
    }
    fedn__flag_done(&question.done);
    return question.answer;
}

rig_answer rig_beat(test_rig *rig, const char *path, const char *name, int64_t timeout_ms)
{
    Fedn__Heartbeat beat = FEDN__HEARTBEAT__INIT;
    Fedn__Client sender = FEDN__CLIENT__INIT;

    sender.name = (char *)(uintptr_t)name;
    beat.sender = &sender;
    return rig_ask(rig, path, &beat.base, timeout_ms);
}
