/* SPDX-License-Identifier: Apache-2.0
 * Notes on their way: from any thread into a list, from there to the combiner while there is one.
 */
#include "roles/client/service_state.h"

#include "core/clock.h"
#include "core/error.h"
#include "core/owner.h"

enum {
    MOST_NOTES = 4096, /* that wait */
    MOST_AHEAD = 64    /* calls at a time */
};

static void flush(fedn__client_service *service);

/* Out of the list, which may have grown at its end meanwhile. */
static void take_out(fedn__notes *notes, fedn__note *note)
{
    fedn__note **place = &notes->first;

    (void)pthread_mutex_lock(&notes->mutex);
    while (*place != note)
        place = &(*place)->next;
    *place = note->next;
    if (notes->last == &note->next)
        notes->last = place;
    notes->count--;
    (void)pthread_mutex_unlock(&notes->mutex);
}

static void on_answer(int32_t rpc, const char *details, const ProtobufCMessage *response,
                      void *user_data)
{
    fedn__note *note = user_data;
    fedn__client_service *service = note->owner;

    (void)response;
    service->notes.ahead--;
    note->sent = 0;
    if (rpc == FEDN__RPC_UNAVAILABLE || rpc == FEDN__RPC_CANCELLED ||
        rpc == FEDN__RPC_DEADLINE_EXCEEDED)
        return; /* it waits for the next heartbeat that is answered */
    if (rpc != FEDN__RPC_OK)
        fedn__log_write(&service->options->log, FEDN_LOG_WARNING, "client",
                        "the combiner does not take %s: %s: %s", note->name, fedn__rpc_name(rpc),
                        details);
    take_out(&service->notes, note);
    fedn__note_free(note);
    flush(service);
}

static fedn__note *next_note(fedn__notes *notes)
{
    (void)pthread_mutex_lock(&notes->mutex);
    fedn__note *note = notes->first;
    while (note && note->sent)
        note = note->next;
    (void)pthread_mutex_unlock(&notes->mutex);
    return note;
}

static void flush(fedn__client_service *service)
{
    fedn__note *note = NULL;

    while (service->is_open && service->notes.ahead < MOST_AHEAD &&
           (note = next_note(&service->notes))) {
        const fedn__reporter reporter = fedn__client_reporter(service);
        note->owner = service;
        if (fedn__note_send(&reporter, note, on_answer, note) != FEDN_OK)
            return;
        note->sent = 1;
        service->notes.ahead++;
    }
}

void fedn__client_flush_notes(fedn__client_service *service)
{
    flush(service);
}

static void on_post(fedn__post *post)
{
    fedn__client_service *service = FEDN__OWNER(post, fedn__client_service, notes.post);

    (void)pthread_mutex_lock(&service->notes.mutex);
    service->notes.posted = 0;
    (void)pthread_mutex_unlock(&service->notes.mutex);
    flush(service);
}

fedn_status fedn__client_service_note(fedn__client_service *service, const fedn__note *what,
                                      fedn_error *err)
{
    fedn__notes *notes = &service->notes;
    fedn__note *note = NULL;

    fedn_status rc = fedn__note_new(what, &note, err);
    if (rc != FEDN_OK)
        return rc;
    (void)pthread_mutex_lock(&notes->mutex);
    int32_t full = notes->count == MOST_NOTES;
    if (!full) {
        *notes->last = note;
        notes->last = &note->next;
        notes->count++;
    }
    int32_t post = !full && notes->open && !notes->posted;
    notes->posted |= post;
    if (post)
        fedn__loop_post(service->loop, &notes->post);
    (void)pthread_mutex_unlock(&notes->mutex);
    if (!full)
        return FEDN_OK;
    fedn__note_free(note);
    return fedn__error(err, FEDN_ERR_LIMIT, "%d of them wait for a combiner already", MOST_NOTES);
}

/* ---- telemetry of the machine ---- */

static void set_timer(fedn__client_service *service)
{
    int64_t pause_ms = service->options->telemetry_ms;

    (void)fedn__loop_timer_set(service->loop, &service->telemetry,
                               fedn__clock_ns() + pause_ms * 1000000);
}

static void on_timer(fedn__timer *timer, void *user_data)
{
    fedn__client_service *service = user_data;
    fedn__note what = {.kind = FEDN__NOTE_TELEMETRY, .name = "memory_usage"};

    (void)timer;
    /* of now: what could not be sent now is not worth keeping */
    if (service->is_open && fedn__usage_memory(&what.value))
        (void)fedn__client_service_note(service, &what, NULL);
    what.name = "cpu_usage";
    if (service->is_open && fedn__usage_cpu(&service->usage, &what.value))
        (void)fedn__client_service_note(service, &what, NULL);
    if (!atomic_load(&service->stopping))
        set_timer(service);
}

void fedn__client_open_notes(fedn__client_service *service)
{
    double since_boot = 0;

    (void)pthread_mutex_lock(&service->notes.mutex);
    service->notes.open = 1;
    (void)pthread_mutex_unlock(&service->notes.mutex);
    service->telemetry.fn = on_timer;
    service->telemetry.user_data = service;
    if (service->options->telemetry_ms == 0)
        return;
    (void)fedn__usage_cpu(&service->usage, &since_boot);
    set_timer(service);
}

void fedn__client_close_notes(fedn__client_service *service)
{
    (void)pthread_mutex_lock(&service->notes.mutex);
    service->notes.open = 0; /* the loop may go */
    (void)pthread_mutex_unlock(&service->notes.mutex);
    fedn__loop_timer_cancel(service->loop, &service->telemetry);
}

void fedn__notes_init(fedn__notes *notes)
{
    (void)pthread_mutex_init(&notes->mutex, NULL);
    notes->last = &notes->first;
    notes->post.fn = on_post;
}

void fedn__notes_done(fedn__notes *notes)
{
    while (notes->first) {
        fedn__note *note = notes->first;
        notes->first = note->next;
        fedn__note_free(note);
    }
    (void)pthread_mutex_destroy(&notes->mutex);
}
