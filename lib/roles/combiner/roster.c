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

static void client_free(fedn__participant *client)
{
    if (!client)
        return;
    fedn__free(client->id);
    fedn__free(client->name);
    fedn__free(client);
}

void fedn__roster_done(fedn__roster *roster)
{
    for (int32_t list = 0; list < 2; list++) {
        for (fedn__participant *client = roster->lists[list].oldest, *next; client; client = next) {
            next = client->newer;
            client_free(client);
        }
    }
    fedn__map_done(&roster->by_id);
    fedn__roster_init(roster, roster->limit);
}

fedn__participant *fedn__roster_find(const fedn__roster *roster, const char *client_id)
{
    return client_id ? fedn__map_get(&roster->by_id, client_id) : NULL;
}

static void take_out(fedn__roster *roster, fedn__participant *client)
{
    fedn__participant_list *list = &roster->lists[client->asleep];

    if (client->older)
        client->older->newer = client->newer;
    else
        list->oldest = client->newer;
    if (client->newer)
        client->newer->older = client->older;
    else
        list->newest = client->older;
}

static void put_newest(fedn__roster *roster, fedn__participant *client, int32_t asleep)
{
    fedn__participant_list *list = &roster->lists[asleep];

    client->asleep = asleep;
    client->older = list->newest;
    client->newer = NULL;
    if (list->newest)
        list->newest->newer = client;
    else
        list->oldest = client;
    list->newest = client;
}

static fedn_status make_room(fedn__roster *roster)
{
    if (roster->count < roster->limit)
        return FEDN_OK;
    for (fedn__participant *client = roster->lists[1].oldest; client; client = client->newer) {
        if (client->stream || client->outcome || client->parked)
            continue;
        take_out(roster, client);
        fedn__map_remove(&roster->by_id, client->id);
        roster->count--;
        client_free(client);
        return FEDN_OK;
    }
    return FEDN_ERR_LIMIT;
}

static fedn_status make_client(fedn__roster *roster, const char *client_id, const char *name,
                               fedn__participant **ret)
{
    fedn_status rc = make_room(roster);
    if (rc != FEDN_OK)
        return rc;
    fedn__participant *client = fedn__alloc_zero(sizeof *client);
    if (!client)
        return FEDN_ERR_NOMEM;
    client->id = fedn__strdup(client_id);
    client->name = fedn__strdup(name ? name : "");
    if (!client->id || !client->name ||
        fedn__map_set(&roster->by_id, client_id, client) != FEDN_OK) {
        client_free(client);
        return FEDN_ERR_NOMEM;
    }
    put_newest(roster, client, 1);
    roster->count++;
    *ret = client;
    return FEDN_OK;
}

fedn_status fedn__roster_join(fedn__roster *roster, const char *client_id, const char *name,
                              fedn__participant **ret)
{
    *ret = fedn__roster_find(roster, client_id);
    if (!*ret)
        return make_client(roster, client_id, name, ret);
    if (name && *name && strcmp(name, (*ret)->name) != 0) {
        char *copy = fedn__strdup(name);
        if (!copy)
            return FEDN_ERR_NOMEM;
        fedn__free((*ret)->name);
        (*ret)->name = copy;
    }
    return FEDN_OK;
}

void fedn__roster_seen(fedn__roster *roster, fedn__participant *client, int64_t now_ms)
{
    if (now_ms > client->last_seen_ms)
        client->last_seen_ms = now_ms;
    take_out(roster, client);
    put_newest(roster, client, 0);
}

void fedn__roster_sleep(fedn__roster *roster, fedn__participant *client)
{
    take_out(roster, client);
    put_newest(roster, client, 1);
}

fedn__participant *fedn__roster_oldest(const fedn__roster *roster)
{
    return roster->lists[0].oldest;
}

void fedn__roster_set_online(fedn__roster *roster, fedn__participant *client, int32_t online)
{
    if (client->online == online)
        return;
    client->online = online;
    roster->online += online ? 1 : (uint32_t)-1;
}
