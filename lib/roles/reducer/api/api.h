/* SPDX-License-Identifier: Apache-2.0
 * The REST API: one table of routes, and the handlers that it names. Handlers run on their
 * connection's thread. */
#ifndef FEDN__ROLES_REDUCER_API_H
#define FEDN__ROLES_REDUCER_API_H

#include "http/server.h"
#include "roles/reducer/service.h"

extern const fedn__http_route fedn__api_routes[];
uint32_t fedn__api_route_count(void);

typedef void fedn__api_handler(void *service, const fedn__http_request *request,
                               fedn__http_response *response);

/* records.c: the standard five of every kind */
fedn__api_handler fedn__api_list, fedn__api_list_by_body, fedn__api_count, fedn__api_count_by_body,
    fedn__api_get;
/* A record as clients see it: all fields of its kind, dates as RFC 7231 writes them. Takes
 * `document` over. */
json_t *fedn__api_show(int32_t kind, json_t *document);

/* clients.c */
fedn__api_handler fedn__api_add_client;
/* models.c */
fedn__api_handler fedn__api_add_model, fedn__api_patch_model, fedn__api_download_model;
/* The newest model's id; FEDN_ERR_NOT_FOUND "no model: ..." */
fedn_status fedn__api_newest_model(fedn__reducer_service *service, char ret[FEDN__UUID_TEXT],
                                   fedn_error *err);
/* sessions.c */
fedn__api_handler fedn__api_add_session, fedn__api_start_session, fedn__api_patch_session;
/* predictions.c */
fedn__api_handler fedn__api_start_prediction;
/* helpers.c */
fedn__api_handler fedn__api_get_helper, fedn__api_set_helper;
/* The active helper's name into `ret`; FEDN_ERR_NOT_FOUND: none was set. */
enum { FEDN__HELPER_TEXT = 64 };
fedn_status fedn__api_active_helper(const fedn__reducer_service *service,
                                    char ret[FEDN__HELPER_TEXT], fedn_error *err);
fedn_status fedn__api_store_helper(const fedn__reducer_service *service, const char *name,
                                   fedn_error *err);
/* status.c */
fedn__api_handler fedn__api_health, fedn__api_controller_status, fedn__api_status;
/* events.c */
fedn__api_handler fedn__api_events;

#endif
