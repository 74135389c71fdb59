/* SPDX-License-Identifier: Apache-2.0
 * The clients of a combiner, by id and by when they were last seen. */
#include "roles/combiner/roster.h"

#include "core/alloc.h"
#include <string.h>

void fedn__roster_init(fedn__roster *roster, uint32_t limit)
{
    memset(roster, 0, sizeof *roster);
    fedn__map_init(&roster->by_id);
    roster->limit = limit;
}

static void member_free(fedn__member *member)
{
    if (!member)
        return;
    fedn__free(member->id);
    fedn__free(member->name);
    fedn__free(member);
}

void fedn__roster_done(fedn__roster *roster)
{
    for (int32_t list = 0; list < 2; list++) {
        for (fedn__member *member = roster->lists[list].oldest, *next; member; member = next) {
            next = member->newer;
            member_free(member);
        }
    }
    fedn__map_done(&roster->by_id);
    fedn__roster_init(roster, roster->limit);
}

fedn__member *fedn__roster_find(const fedn__roster *roster, const char *client_id)
{
    return client_id ? fedn__map_get(&roster->by_id, client_id) : NULL;
}

static void take_out(fedn__roster *roster, fedn__member *member)
{
    fedn__member_list *list = &roster->lists[member->asleep];

    if (member->older)
        member->older->newer = member->newer;
    else
        list->oldest = member->newer;
    if (member->newer)
        member->newer->older = member->older;
    else
        list->newest = member->older;
}

static void put_newest(fedn__roster *roster, fedn__member *member, int32_t asleep)
{
    fedn__member_list *list = &roster->lists[asleep];

    member->asleep = asleep;
    member->older = list->newest;
    member->newer = NULL;
    if (list->newest)
        list->newest->newer = member;
    else
        list->oldest = member;
    list->newest = member;
}

static fedn_status make_room(fedn__roster *roster)
{
    if (roster->count < roster->limit)
        return FEDN_OK;
    for (fedn__member *member = roster->lists[1].oldest; member; member = member->newer) {
        if (member->stream || member->outcome)
            continue;
        take_out(roster, member);
        fedn__map_remove(&roster->by_id, member->id);
        roster->count--;
        member_free(member);
        return FEDN_OK;
    }
    return FEDN_ERR_LIMIT;
}

static fedn_status make_member(fedn__roster *roster, const char *client_id, const char *name,
                               fedn__member **ret)
{
    fedn_status rc = make_room(roster);
    if (rc != FEDN_OK)
        return rc;
    fedn__member *member = fedn__alloc_zero(sizeof *member);
    if (!member)
        return FEDN_ERR_NOMEM;
    member->id = fedn__strdup(client_id);
    member->name = fedn__strdup(name ? name : "");
    if (!member->id || !member->name ||
        fedn__map_set(&roster->by_id, client_id, member) != FEDN_OK) {
        member_free(member);
        return FEDN_ERR_NOMEM;
    }
    put_newest(roster, member, 1);
    roster->count++;
    *ret = member;
    return FEDN_OK;
}

fedn_status fedn__roster_join(fedn__roster *roster, const char *client_id, const char *name,
                              fedn__member **ret)
{
    *ret = fedn__roster_find(roster, client_id);
    if (!*ret)
        return make_member(roster, client_id, name, ret);
    if (name && *name && strcmp(name, (*ret)->name) != 0) {
        char *copy = fedn__strdup(name);
        if (!copy)
            return FEDN_ERR_NOMEM;
        fedn__free((*ret)->name);
        (*ret)->name = copy;
    }
    return FEDN_OK;
}

void fedn__roster_seen(fedn__roster *roster, fedn__member *member, int64_t now_ms)
{
    if (now_ms > member->last_seen_ms)
        member->last_seen_ms = now_ms;
    take_out(roster, member);
    put_newest(roster, member, 0);
}

void fedn__roster_sleep(fedn__roster *roster, fedn__member *member)
{
    take_out(roster, member);
    put_newest(roster, member, 1);
}

fedn__member *fedn__roster_oldest(const fedn__roster *roster)
{
    return roster->lists[0].oldest;
}

void fedn__roster_set_online(fedn__roster *roster, fedn__member *member, int32_t online)
{
    if (member->online == online)
        return;
    member->online = online;
    roster->online += online ? 1 : (uint32_t)-1;
}
