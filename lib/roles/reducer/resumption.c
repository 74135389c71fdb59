/* SPDX-License-Identifier: Apache-2.0
 * What a reducer needs to go on after a restart, written and read. */
#include "roles/reducer/resumption.h"

#include "core/alloc.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>

static const char *const part_states[] = {"asked", "reported", "reported", "failed", "none"};

static json_t *part_of(const fedn__reducer_part *part)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "name", part->combiner->name,
                     "state", part_states[part->state], "place", (json_int_t)part->place,
                     "expected", (json_int_t)part->expected, "accepted", (json_int_t)part->accepted,
                     "refused", (json_int_t)part->refused, "failed", (json_int_t)part->failed,
                     "partial_id", part->partial_id, "error", part->error);
}

json_t *fedn__resumption_of_round(const fedn__reducer_round *round)
{
    json_t *parts = json_array();
    int failed = !parts;

    for (uint32_t i = 0; !failed && i < round->count; i++)
        failed = json_array_append_new(parts, part_of(&round->parts[i])) != 0;
    if (failed) {
        json_decref(parts);
        return NULL;
    }
    return json_pack("{s:I, s:o}", "number", (json_int_t)round->number, "parts", parts);
}

json_t *fedn__resumption_of_session(const fedn__course *course,
                                    const fedn__reducer_session *session,
                                    const fedn__reducer_round *round, int32_t committed)
{
    const char *message = session->message[0] || !round ? session->message : round->message;

    return json_pack("{s:s, s:s?, s:O?, s:O?, s:o?, s:I, s:I, s:I, s:I, s:b, s:s}", "run_id",
                     course->run_id, "prefix", course->prefix, "client_ids", course->client_ids,
                     "combiners", course->combiners, "recent", json_deep_copy(course->recent),
                     "round", (json_int_t)(round ? round->id : 0), "opened",
                     (json_int_t)(round ? round->number : 0), "done",
                     (json_int_t)session->done + committed, "failures",
                     (json_int_t)(committed ? 0 : session->failures), "stopping", session->stopping,
                     "message", message);
}

static uint32_t count_of(const json_t *object, const char *key)
{
    int64_t count = fedn__json_integer(object, key, 0);
    return count > 0 && count <= UINT32_MAX ? (uint32_t)count : 0;
}

int32_t fedn__resumption_session(const json_t *record, fedn__reducer_session *ret)
{
    const json_t *known = json_object_get(record, FEDN__RESUMPTION);

    if (!json_is_object(known))
        return 0;
    ret->opened = count_of(known, "opened");
    ret->done = count_of(known, "done");
    ret->failures = count_of(known, "failures");
    ret->stopping = fedn__json_boolean(known, "stopping", 0);
    if (ret->stopping || ret->failures > 0)
        snprintf(ret->message, sizeof ret->message, "%s", fedn__json_string(known, "message", ""));
    return 1;
}

uint64_t fedn__resumption_round_id(const json_t *session)
{
    int64_t id = fedn__json_integer(json_object_get(session, FEDN__RESUMPTION), "round", 0);
    return id > 0 ? (uint64_t)id : 0;
}

int32_t fedn__resumption_round(const json_t *record, fedn__reducer_round *ret)
{
    const json_t *known = json_object_get(record, FEDN__RESUMPTION);
    const char *status = fedn__json_string(record, "status", "");
    int32_t waiting = strcmp(status, fedn__round_status(FEDN__ROUND_WAITING)) == 0;

    if (!json_is_object(known) ||
        (!waiting && strcmp(status, fedn__round_status(FEDN__ROUND_RUNNING)) != 0) ||
        !fedn__text_to_u64(fedn__json_string(record, "round_id", ""), &ret->id))
        return 0;
    ret->state = waiting ? FEDN__ROUND_WAITING : FEDN__ROUND_RUNNING;
    ret->number = count_of(known, "number");
    snprintf(ret->model_id, sizeof ret->model_id, "%s",
             fedn__json_string(json_object_get(record, "round_config"), "model_id", ""));
    return 1;
}

static fedn__restored_part read_part(const json_t *known)
{
    const char *state = fedn__json_string(known, "state", "");
    fedn__restored_part part = {.combiner = fedn__json_string(known, "name", ""),
                                .state = FEDN__PART_FAILED,
                                .place = count_of(known, "place"),
                                .expected = count_of(known, "expected"),
                                .accepted = count_of(known, "accepted"),
                                .refused = count_of(known, "refused"),
                                .failed = count_of(known, "failed"),
                                .partial_id = fedn__json_string(known, "partial_id", ""),
                                .error = fedn__json_string(known, "error", "")};

    if (strcmp(state, part_states[FEDN__PART_ASKED]) == 0)
        part.state = FEDN__PART_ASKED;
    else if (strcmp(state, part_states[FEDN__PART_MERGED]) == 0)
        part.state = FEDN__PART_MERGED;
    return part;
}

static int32_t is_listed(const fedn__restored_part *parts, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(parts[i].combiner, name) == 0)
            return 1;
    return 0;
}

fedn__restored_part *fedn__resumption_parts(const json_t *session, const json_t *round,
                                            uint32_t *ret_count)
{
    const json_t *names = json_object_get(json_object_get(session, FEDN__RESUMPTION), "combiners");
    const json_t *known = json_object_get(json_object_get(round, FEDN__RESUMPTION), "parts");
    uint64_t most = json_array_size(names) + json_array_size(known) + 1;
    fedn__restored_part *parts = fedn__alloc_array(most, sizeof *parts);
    const json_t *item = NULL;
    uint32_t count = 0;
    size_t i = 0;

    json_array_foreach(known, i, item)
    {
        if (parts)
            parts[count++] = read_part(item);
    }
    json_array_foreach(names, i, item)
    {
        const char *name = json_is_string(item) ? json_string_value(item) : "";
        if (parts && !is_listed(parts, count, name))
            parts[count++] = (fedn__restored_part){
                .combiner = name, .state = FEDN__PART_NONE, .partial_id = "", .error = ""};
    }
    *ret_count = count;
    return parts;
}
