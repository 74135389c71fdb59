/* SPDX-License-Identifier: Apache-2.0
 * Clients: assigning a combiner to one that asks, forgetting one, what one needs to begin. */
#include "roles/reducer/api/api.h"

#include "core/clock.h"
#include "core/error.h"
#include "core/text.h"
#include <stdio.h>
#include <string.h>

typedef struct applicant {
    const char *name;
    const char *preferred;
    const char *package;
    char client_id[FEDN__LIMIT_ID_BYTES + 1];
} applicant;

static void refuse(fedn__http_response *response, int32_t status, const char *what,
                   const char *message)
{
    fedn__http_reply_json(
        response, status,
        json_pack("{s:b, s:s, s:s}", "success", 0, "status", what, "message", message));
}

static fedn_status read_applicant(const json_t *body, applicant *ret, fedn_error *err)
{
    const char *id = fedn__json_string(body, "client_id", "");

    ret->name = fedn__json_string(body, "name", "");
    ret->preferred = fedn__json_string(body, "preferred_combiner", "");
    if (!*ret->preferred)
        ret->preferred = fedn__json_string(body, "combiner_preferred", "");
    ret->package = fedn__json_string(body, "package", "local");
    if (!fedn__text_is_line(ret->name, FEDN__LIMIT_NAME_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID, "name must be 1 to %d printable bytes",
                           FEDN__LIMIT_NAME_BYTES);
    if (strcmp(ret->package, "local") != 0 && strcmp(ret->package, "remote") != 0)
        return fedn__error(err, FEDN_ERR_INVALID,
                           "package \"%.32s\" is not \"local\" or \"remote\"", ret->package);
    if (!*id)
        fedn__uuid_new_text(ret->client_id);
    else if (!fedn__text_is_line(id, FEDN__LIMIT_ID_BYTES))
        return fedn__error(err, FEDN_ERR_INVALID, "client_id must be 1 to %d printable bytes",
                           FEDN__LIMIT_ID_BYTES);
    else
        snprintf(ret->client_id, sizeof ret->client_id, "%s", id);
    return FEDN_OK;
}

static fedn_status record_client(fedn__reducer_service *service, const applicant *client,
                                 const fedn__assignment *to, const char *ip, fedn_error *err)
{
    char now[FEDN__TIME_TEXT];

    fedn__text_iso_time(fedn__clock_wall_us(), now);
    return fedn__service_write(
        service, FEDN__RECORD_PATCH, FEDN__KIND_CLIENT, client->client_id,
        json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s}", "client_id", client->client_id,
                  "name", client->name, "combiner", to->name, "combiner_preferred",
                  *client->preferred ? client->preferred : NULL, "ip", ip, "status", "available",
                  "last_seen", now, "package", client->package),
        err);
}

/* The active helper; 0: there is no package. */
static int32_t find_helper(const fedn__reducer_service *service, char ret[FEDN__HELPER_TEXT])
{
    json_t *package = NULL;

    if (fedn__api_active_package(service, &package, NULL) != FEDN_OK)
        return 0;
    json_decref(package);
    if (fedn__api_active_helper(service, ret, NULL) != FEDN_OK)
        *ret = 0;
    return 1;
}

static void assign(fedn__reducer_service *service, const fedn__http_request *request,
                   const applicant *client, fedn__http_response *response)
{
    char helper[FEDN__HELPER_TEXT] = "";
    fedn__assignment to = {0};
    fedn_error err = {0};
    const char *peer = fedn__http_peer(request);

    if (strcmp(client->package, "remote") == 0 && !find_helper(service, helper)) {
        refuse(response, 203, "retry", "No compute package found. Set package in controller.");
        return;
    }
    fedn_status rc = fedn__service_assign(service, client->preferred, &to, &err);
    if (rc == FEDN_ERR_UNAVAILABLE) {
        refuse(response, 400, "retry", err.message);
        return;
    }
    if (rc == FEDN_OK)
        rc = record_client(service, client, &to, peer ? peer : "", &err);
    if (rc != FEDN_OK) {
        refuse(response, 400, "retry", err.message);
        return;
    }
    fedn__http_reply_json(response, 200,
                          json_pack("{s:s, s:s, s:s?, s:i, s:s, s:s, s:s, s:s}", "status",
                                    "assigned", "host", to.host, "fqdn", *to.fqdn ? to.fqdn : NULL,
                                    "port", (int)to.port, "ip", peer ? peer : "", "package",
                                    client->package, "helper_type", helper, "client_id",
                                    client->client_id));
}

/* Other answers than 200, 203 and 400 make FEDn's client crash. */
void fedn__api_add_client(void *service, const fedn__http_request *request,
                          fedn__http_response *response)
{
    json_t *body = NULL;
    applicant client = {0};
    fedn_error err = {0};
    fedn_status rc = fedn__http_body_json(request, &body, &err);

    if (rc == FEDN_OK)
        rc = read_applicant(body, &client, &err);
    if (rc == FEDN_OK)
        assign(service, request, &client, response);
    else
        refuse(response, 400, "abort", err.message);
    json_decref(body);
}

/* One that is connected is recorded again with what its combiner says next of it. */
void fedn__api_remove_client(void *service, const fedn__http_request *request,
                             fedn__http_response *response)
{
    fedn__api_remove(service, FEDN__KIND_CLIENT, fedn__http_param(request, "id"), "Client deleted",
                     response);
}

/* The host that this request was sent to: the one address of ours that is known to work. */
static fedn_status own_host(const fedn__reducer_service *service, const fedn__http_request *request,
                            char *host, uint64_t room, fedn_error *err)
{
    const char *asked = fedn__http_header(request, "Host");
    const char *listen = fedn__config_string(service->config, "reducer.http_listen");
    uint16_t port = 0;

    if (asked && fedn__text_is_line(asked, FEDN__LIMIT_NAME_BYTES) &&
        fedn__text_host_port(asked, host, room, &port, NULL) == FEDN_OK)
        return FEDN_OK;
    return fedn__text_host_port(listen, host, room, &port, err);
}

void fedn__api_client_config(void *user_data, const fedn__http_request *request,
                             fedn__http_response *response)
{
    fedn__reducer_service *service = user_data;
    char host[FEDN__LIMIT_NAME_BYTES + 1];
    fedn_error err = {0};
    fedn_status rc = own_host(service, request, host, sizeof host, &err);

    if (rc != FEDN_OK) {
        fedn__http_reply_error(response, rc, &err);
        return;
    }
    json_t *package = NULL;
    const char *wanted = fedn__http_query(request, "checksum");
    if (!fedn__text_equal(wanted, "false"))
        fedn__api_active_package(service, &package, NULL);
    fedn__http_reply_json(response, 200,
                          json_pack("{s:s, s:s, s:i, s:s*}", "network_id",
                                    fedn__config_string(service->config, "reducer.network_id"),
                                    "discover_host", host, "discover_port",
                                    (int)fedn__http_server_port(service->http), "checksum",
                                    json_string_value(json_object_get(package, "checksum"))));
    json_decref(package);
}
